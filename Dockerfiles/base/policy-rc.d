#!/bin/sh
# Packages start nothing: supervisord starts the programs.
exit 101
