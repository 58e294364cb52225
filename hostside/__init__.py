"""What runs beside a Docker engine: wiring, files, certificates, Puppet runs and health checks of a stack's containers.

Standard library only, Python 3.11 or later: a container host needs nothing of ours installed. ``pulumi up`` copies this
package to ``<stack directory>/tool`` on every container host and calls it there, locally or through ssh; the keeper
container runs the same copy. Every operation is read as one JSON object from standard input, so that nothing
secret is ever in an argument list.
"""
