"""`python -m seq2seq`"""

from seq2seq.cli import main

main()
