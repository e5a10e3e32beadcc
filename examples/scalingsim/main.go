// Command scalingsim simulates the scaling policies: it runs the twelve traces of package scaling under the oracle,
// Drain, KEDA's formula and Lambda, prints the comparison as a Markdown table, and with -charts draws each run.
//
//	go run ./examples/scalingsim
//	go run ./examples/scalingsim -trace step,hot -charts /tmp/charts
//	go run ./examples/scalingsim -more -pods
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/esm-go/esm/scaling/simulate"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "scalingsim:", err)
		os.Exit(1)
	}
}

func run() error {
	charts := flag.String("charts", "", "write an SVG chart of each run into this directory")
	only := flag.String("trace", "", "run only these traces, separated by commas")
	more := flag.Bool("more", false, "add the traces beyond the twelve")
	pods := flag.Bool("pods", false, "charge for each change what replicas cost: 10 s to start and a rebalance of 3 s")
	seed := flag.Uint64("seed", 1, "seed of the arrivals and the invocation times")
	verbose := flag.Bool("v", false, "print each decision of Drain that changed something")
	flag.Parse()

	traces := simulate.Traces()
	if *more {
		traces = append(traces, simulate.MoreTraces()...)
	}
	if *only != "" {
		traces = pick(traces, strings.Split(*only, ","))
	}
	options := simulate.Options{Seed: *seed}
	if *pods {
		options.WorkerStart, options.WorkerRebalance = 10*time.Second, 3*time.Second
	}
	rows, err := simulate.Compare(traces, options)
	if err != nil {
		return err
	}
	if err := simulate.WriteTable(os.Stdout, rows); err != nil {
		return err
	}
	for _, row := range rows {
		if *verbose && row.Policy == "Drain" {
			fmt.Printf("\n%s\n", row.Trace)
			for _, d := range row.Decisions {
				fmt.Printf("%8s  %s\n", d.At, d.Reason)
			}
		}
		if *charts != "" {
			if err := draw(*charts, row); err != nil {
				return err
			}
		}
	}
	return nil
}

func pick(traces []simulate.Trace, names []string) []simulate.Trace {
	var picked []simulate.Trace
	for _, t := range traces {
		for _, name := range names {
			if t.Name == name {
				picked = append(picked, t)
			}
		}
	}
	return picked
}

func draw(dir string, row simulate.Row) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	name := filepath.Join(dir, row.Trace+"-"+strings.ToLower(row.Policy)+".svg")
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(simulate.WriteChart(f, row.Policy, row.Result), f.Close())
}
