// Command esm is the command-line program for the library. Each of its commands has its own file.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// command is one of the program's commands.
type command struct {
	name, summary string
	// run returns the exit code. It returns soon after ctx ends.
	run func(ctx context.Context, args []string, out streams) int
}

// streams are the inputs and outputs of a command.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// commands returns all commands, in the order in which they are listed.
func commands() []command {
	return []command{serveCommand(), checkCommand(), redriveCommand()}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := dispatch(ctx, os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr})
	stop()
	os.Exit(code)
}

// dispatch runs the command that the first argument names.
func dispatch(ctx context.Context, args []string, s streams) int {
	if len(args) == 0 {
		usage(s.err)
		return exitUsage
	}
	for _, c := range commands() {
		if c.name == args[0] {
			return c.run(ctx, args[1:], s)
		}
	}
	switch args[0] {
	case "help", "-h", "-help", "--help":
		usage(s.out)
		return exitOK
	}
	_, _ = fmt.Fprintf(s.err, "esm: no command %q\n\n", args[0])
	usage(s.err)
	return exitUsage
}

func usage(w io.Writer) {
	_, _ = fmt.Fprint(w, "Usage: esm COMMAND [flags]\n\nCommands:\n")
	for _, c := range commands() {
		_, _ = fmt.Fprintf(w, "  %-10s %s\n", c.name, c.summary)
	}
	_, _ = fmt.Fprint(w, "\nesm COMMAND -h shows a command's flags.\n")
}
