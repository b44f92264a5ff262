"""What the tests share: real servers and processes on ports and in folders of their own, and an independent reading of frames."""
