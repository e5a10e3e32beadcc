// Bench compares esm with the clients that it is built on and with similar libraries, in one run on one
// broker. See README.md.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const usage = `usage: go run . [flags] [compare|latency|memory|scale|idle|filter|follow|functions|observed]

  compare  (default) records/s, CPU and memory of all contestants; writes results.md and results.svg
  latency  one record on an idle topic: how long after a bare loop the handler sees it
  memory   a long backlog and a slow handler: the resident set over time
  scale    the bare loops and esm at 8 and at 1000 partitions
  idle     many partitions to which nothing comes
  filter   a topic of which 1 record in 100 matches FilterCriteria, and the same unfiltered
  functions  invocation targets beside the same calls by hand, and eight Python workers
  observed  a mapping of which nothing is observed beside one with esmotel and esmprom
  follow   traces of package scaling on a broker, beside what the simulator says of them

flags:
`

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := 0
	if os.Getenv(workerVariable) != "" {
		functionWorker()
	} else if text := os.Getenv(jobVariable); text != "" {
		code = child(ctx, text)
	} else if err := command(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		code = 1
	}
	cancel()
	os.Exit(code)
}

func command(ctx context.Context, args []string) error {
	var all []string
	for _, c := range contestants() {
		all = append(all, c.name)
	}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.Usage = func() { fmt.Fprint(flags.Output(), usage); flags.PrintDefaults() }
	var (
		bootstrap  = flags.String("bootstrap", "", "`host:port,…` of a running cluster; empty: start Apache Kafka (java, and mvn for the first time)")
		fake       = flags.Bool("kfake", false, "read from the in-process Kafka's synthetic fetch instead (compare, scale), or from its empty topics (idle)")
		full       = flags.Bool("full", false, "the whole matrix: 100 B, 1 KB and 10 KB; 1, 8 and 64 partitions; batches of 100 and 10000")
		values     = flags.String("values", "100,1024", "value sizes in bytes")
		partitions = flags.String("partitions", "8", "numbers of partitions; idle takes the first (default there 10000), scale all (default there 8,1000)")
		batches    = flags.String("batches", "100,10000", "batch sizes")
		names      = flags.String("contestants", strings.Join(all, ","), "who takes part")
		repeat     = flags.Int("repeat", 3, "repetitions, of which the median is taken")
		megabytes  = flags.Int64("mb", 1000, "data of one topic, in millions of bytes of values")
		minSeconds = flags.Float64("min", 3, "seconds to measure each contestant at least (it reads the topic again)")
		maxSeconds = flags.Float64("max", 6, "seconds after which one pass over a topic is cut off")
		profile    = flags.String("cpuprofile", "", "`folder` for a CPU profile of each esm contestant")
		out        = flags.String("out", ".", "`folder` for results.md and results.svg")
		warm       = flags.Float64("warm", 20, "seconds to wait before idle measures")
		seconds    = flags.Float64("seconds", 30, "seconds that idle, memory and functions measure")
		records    = flags.Int("records", 1000, "records that latency sends, invocations that functions makes")
		traces     = flags.String("traces", "sixtyfour,burst,throttled", "traces that follow plays, beside each other")
		python     = flags.String("python", "python3", "`interpreter` with awslambdaric, for functions")
		gap        = flags.Duration("gap", 10*time.Millisecond, "pause between the records that latency sends")
	)
	verb := "compare"
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		verb, args = args[0], args[1:]
	}
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected %q: the verb comes first", flags.Arg(0))
	}
	given := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	fallback := func(name, value string, to *string) {
		if !given[name] {
			*to = value
		}
	}
	switch {
	case verb == "scale":
		fallback("partitions", "8,1000", partitions)
		fallback("values", "100", values)
		fallback("batches", "1000", batches)
		fallback("contestants", "franz-bare,esm-franz,confluent-bare,esm-confluent", names)
	case verb == "idle":
		fallback("partitions", "10000", partitions)
		fallback("contestants", "franz-bare,esm-franz,confluent-bare,esm-confluent", names)
	case *full:
		fallback("values", "100,1024,10240", values)
		fallback("partitions", "1,8,64", partitions)
	}
	for _, n := range strings.Split(*names, ",") {
		if !slices.Contains(all, n) {
			return fmt.Errorf("no contestant %q: there are %s", n, strings.Join(all, ", "))
		}
	}
	var servers []string
	if *bootstrap != "" {
		servers = strings.Split(*bootstrap, ",")
	}
	c := comparison{
		names: strings.Split(*names, ","), repeat: *repeat, bytes: *megabytes * 1e6, minSeconds: *minSeconds, maxSeconds: *maxSeconds,
		fake: *fake, bootstrap: servers, outDir: *out,
		command: strings.TrimSpace("go run . " + strings.Join(os.Args[1:], " ")),
	}
	var err error
	for _, l := range []struct {
		text string
		to   *[]int
	}{{*values, &c.values}, {*partitions, &c.partitions}, {*batches, &c.batches}} {
		if *l.to, err = numbers(l.text); err != nil {
			return err
		}
	}
	if *profile != "" {
		if c.profile, err = filepath.Abs(*profile); err != nil {
			return err
		}
		if err := os.MkdirAll(c.profile, 0o755); err != nil {
			return err
		}
	}
	switch verb {
	case "compare":
		return c.compare(ctx)
	case "scale":
		return c.scale(ctx)
	case "latency":
		return latencyFigures(ctx, servers, *records, *gap)
	case "memory":
		return memoryFigures(ctx, servers, c.bytes, *seconds)
	case "filter":
		return filterFigures(ctx, servers, c.bytes/100, c.values, *repeat)
	case "observed":
		return observedFigures(ctx, servers, c.bytes/100, c.batches[0], *repeat)
	case "functions":
		return functionFigures(ctx, *records, *python, *seconds)
	case "follow":
		return followFigures(ctx, servers, *traces)
	case "idle":
		return idleFigures(ctx, servers, *fake, c.partitions[0], *warm, *seconds, c.names, c.profile)
	}
	return fmt.Errorf("unknown verb %q\n%s", verb, usage)
}

func numbers(text string) ([]int, error) {
	var list []int
	for s := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(s))
		if err != nil || n < 1 {
			return nil, fmt.Errorf("%q: want numbers of 1 or more, joined by commas", text)
		}
		list = append(list, n)
	}
	return list, nil
}

// compare writes the tables and the chart.
func (c comparison) compare(ctx context.Context) error {
	began := time.Now()
	cells, name, err := c.run(ctx)
	if len(cells) == 0 {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Made by `%s` on %s: %s, %s, %d processors shared by the broker and the contestant, medians of %d interleaved repetitions, in %v.\n\n",
		c.command, began.Format("2006-01-02"), name, runtime.Version(), runtime.NumCPU(), c.repeat, time.Since(began).Round(time.Second))
	b.WriteString("## Figures\n\n" + figures(cells) + "\n## Contestants\n\n" + table(cells))
	fmt.Print(b.String())
	base := "results"
	if c.fake {
		base = "results-kfake"
	}
	if err := os.WriteFile(filepath.Join(c.outDir, base+".md"), []byte("# Results\n\n"+b.String()), 0o644); err != nil {
		return err
	}
	title := fmt.Sprintf("Consuming from %s, %d processors", name, runtime.NumCPU())
	if werr := os.WriteFile(filepath.Join(c.outDir, base+".svg"), []byte(chart(cells, title)), 0o644); werr != nil {
		return werr
	}
	return err
}

// scale shows what esm adds to a record with few and with many partitions.
func (c comparison) scale(ctx context.Context) error {
	cells, name, err := c.run(ctx)
	if len(cells) == 0 {
		return err
	}
	fmt.Printf("\nCPU ns a record on %s, medians of %d\n\n", name, c.repeat)
	fmt.Println("| setting | driver | bare loop | esm | esm adds | peak MB: bare | esm |\n| --- | --- | ---: | ---: | ---: | ---: | ---: |")
	for _, one := range cells {
		for _, d := range []string{"franz", "confluent"} {
			bare, ours := one.row(d+"-bare"), one.row("esm-"+d)
			if bare == nil || ours == nil {
				continue
			}
			fmt.Printf("| %s | %s | %.0f | %.0f | %.0f | %.0f | %.0f |\n", one.setting, d, bare.nanos(), ours.nanos(), ours.nanos()-bare.nanos(), bare.peak(), ours.peak())
		}
	}
	return err
}
