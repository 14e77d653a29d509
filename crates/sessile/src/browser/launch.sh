# Runs a browser in a folder of its own, and takes the folder away when it has ended, whatever
# became of who started it: the browser ends by itself when its pipe is closed.
#
# $1 is the folder; then the programs to look for, `--`, and what the program is given.
folder=$1
shift
program=
while [ "$1" != -- ]; do
    [ -n "$program" ] || program=$(command -v "$1")
    shift
done
shift
if [ -z "$program" ]; then
    rm -rf "$folder"
    exit 127
fi
# The protocol's pipes are descriptors 3 and 4. Only the last words of the browser are kept.
exec 3<&0 4>&1 </dev/null >/dev/null
"$program" "$@" 2>&1 | tail -c 2000 >&2 3<&- 4>&-
rm -rf "$folder"
exit 0
