"""``python -m fallline``."""

from fallline.cli import main

main()
