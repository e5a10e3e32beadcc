package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/esm-go/esm/mapping/template"
)

func checkCommand() command {
	return command{name: "check", summary: "check mapping files, and CloudFormation and SAM templates", run: runCheck}
}

const checkUsage = `Usage: esm check [flags] FILE…

Checks mappings (the JSON of CreateEventSourceMapping) and CloudFormation or SAM templates (YAML or JSON), and says which
of their parameters AWS Lambda would refuse though esm takes them. FILE - is what is read from standard input.

The exit code is 0 when esm takes everything, 1 when it refuses something (with -strict: or Lambda does).

Flags:
`

// runCheck runs the command.
func runCheck(_ context.Context, args []string, s streams) int {
	set := flag.NewFlagSet("check", flag.ContinueOnError)
	set.SetOutput(s.err)
	set.Usage = func() {
		_, _ = io.WriteString(s.err, checkUsage)
		set.PrintDefaults()
	}
	var parameters texts
	strict := set.Bool("strict", false, "what differs on Lambda is an error too")
	set.Var(&parameters, "parameter", "the value of a template's parameter, `NAME=VALUE`; may be repeated")
	if err := set.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return exitOK
		}
		return exitUsage
	}
	values := make(template.Values)
	for _, p := range parameters {
		name, value, ok := strings.Cut(p, "=")
		if !ok || name == "" {
			_, _ = fmt.Fprintf(s.err, "esm check: -parameter %q: want NAME=VALUE\n", p)
			return exitUsage
		}
		values[name] = value
	}
	if set.NArg() == 0 {
		_, _ = fmt.Fprint(s.err, "esm check: no file is named\nesm check -h shows the flags.\n")
		return exitUsage
	}
	code := exitOK
	for _, file := range set.Args() {
		data, err := read(file, s.in)
		if err != nil {
			_, _ = fmt.Fprintf(s.err, "esm check: %v\n", err)
			code = exitFailed
			continue
		}
		mappings, findings := template.Check(data, values)
		for _, f := range findings {
			_, _ = fmt.Fprintf(s.out, "%s:%s\n", file, f)
			if f.Level == template.Wrong || *strict {
				code = exitFailed
			}
		}
		if mappings == 0 && len(findings) == 0 {
			_, _ = fmt.Fprintf(s.out, "%s:1: error: it has no mapping of self-managed Kafka\n", file)
			code = exitFailed
		} else if len(findings) == 0 {
			_, _ = fmt.Fprintf(s.out, "%s: %d mappings, nothing wrong\n", file, mappings)
		}
	}
	return code
}

func read(file string, in io.Reader) ([]byte, error) {
	if file == "-" {
		return io.ReadAll(in)
	}
	return os.ReadFile(file)
}
