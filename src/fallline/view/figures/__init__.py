"""Pictures, by matplotlib (the extra ``plot``); nothing here is imported until a picture is asked for."""
