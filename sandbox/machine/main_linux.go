// Command machine gives a program, and all that it starts, a machine of its own: processes, mounts and network that nobody else on
// the real machine sees, and that the kernel removes when the program ends, however it ends.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
)

func main() {
	if len(os.Args) < 2 {
		usage()
	}
	switch name, args := os.Args[1], os.Args[2:]; name {
	case "run":
		os.Exit(report(name, run(args)))
	case "init":
		status, err := initialize(args)
		if err != nil {
			status = report(name, err)
		}
		os.Exit(status)
	case "guard":
		os.Exit(report(name, guard(args)))
	case "pause":
		pause()
	default:
		usage()
	}
}

func usage() {
	fmt.Fprintln(os.Stderr, "usage: machine run [options] COMMAND [arguments] | machine pause")
	os.Exit(2)
}

func report(name string, err error) int {
	if err == nil {
		return 0
	}
	fmt.Fprintf(os.Stderr, "machine %s: %v\n", name, err)
	return 1
}

// options are the same for `run` and for the `init` that it starts inside.
type options struct {
	cgroup   string // name of the cgroup, in each hierarchy, that the programs inside may divide
	hostname string
	address  string // IPv4 address of the machine inside
	ports    list   // TCP ports of 127.0.0.1 outside that lead to the same port of 127.0.0.1 inside
	binaries list   // NAME=PATH of programs outside that appear inside as binFolder/NAME
	command  []string
}

type list []string

func (l *list) String() string     { return strings.Join(*l, ",") }
func (l *list) Set(v string) error { *l = append(*l, v); return nil }

func parse(name string, args []string) options {
	var o options
	flags := flag.NewFlagSet(name, flag.ExitOnError)
	flags.StringVar(&o.cgroup, "cgroup", "", "name of the cgroup to make")
	flags.StringVar(&o.hostname, "hostname", "machine", "host name inside")
	flags.StringVar(&o.address, "address", "", "IPv4 address inside")
	flags.Var(&o.ports, "port", "port of 127.0.0.1 that leads inside; may be repeated")
	flags.Var(&o.binaries, "binary", "NAME=PATH of a program that is needed inside; may be repeated")
	_ = flags.Parse(args)
	o.command = flags.Args()
	return o
}
