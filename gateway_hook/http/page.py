"""The page that a browser shows while its application starts; it asks again by itself, and loads nothing else."""

from typing import Final

PAGE: Final = b"""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<meta http-equiv="refresh" content="2">
<title>Waking up</title>
<style>
html { color-scheme: light dark; font: 1.25rem/1.5 system-ui, sans-serif }
body { min-height: 90vh; margin: 0; display: grid; place-content: center; padding: 1rem; text-align: center }
h1 { margin: 0; font-size: 1.5em }
</style>
</head>
<body>
<main role="status">
<h1>Waking up</h1>
<p>This application was asleep. The page appears as soon as it is ready.</p>
</main>
</body>
</html>
"""
