package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/destination/redrive"
)

func redriveCommand() command {
	return command{name: "redrive", summary: "bring failures back from an on-failure destination", run: runRedrive}
}

// redriveFlags are the command's flags.
type redriveFlags struct {
	from, to         string
	mapping, servers string
	secrets          string
	functions        string
	group            string
	batch            int
	rate             float64
	dryRun, list     bool
	keepTimestamps   bool
	after, moveTo    string
	visibility       time.Duration
	pathStyle        bool
	conditions, keys texts
	patterns         texts
	since, until     moment
	maxRedrives      int
}

// texts is a flag that may be repeated.
type texts []string

// String returns the values.
func (t *texts) String() string { return strings.Join(*t, " ") }

// Set adds a value.
func (t *texts) Set(s string) error {
	*t = append(*t, s)
	return nil
}

// moment is a time in RFC 3339, or a duration before now.
type moment struct{ time.Time }

// String returns the time.
func (m *moment) String() string {
	if m.IsZero() {
		return ""
	}
	return m.Format(time.RFC3339)
}

// Set parses either form.
func (m *moment) Set(s string) error {
	if d, err := time.ParseDuration(s); err == nil {
		m.Time = time.Now().Add(-d)
		return nil
	}
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return errors.New("want a time such as 2026-11-28T15:00:00Z, or a duration such as 36h for that long ago")
	}
	m.Time = at
	return nil
}

const redriveUsage = `Usage: esm redrive -from SOURCE -to TARGET [flags]

Reads the failures of an on-failure destination and hands their records over again, with their topics, partitions,
offsets, keys, headers and timestamps. A failure leaves its source when its records were taken; one that fails again
goes back with its count. It can be stopped at any time; the same command continues from there.

SOURCE is kafka://TOPIC, the ARN or URL of an SQS queue, or s3://BUCKET/PREFIX.
TARGET is kafka://TOPIC, source (the topic that each record is from), function:NAME of -functions, the ARN of a
function on AWS Lambda, or a URL to post each event to. With -dry-run there is none.

The cluster of kafka://, source and of the records that an SQS queue's failures name is that of -mapping, or of
-bootstrap-servers without credentials. AWS is reached as the AWS SDKs do (AWS_REGION, AWS_PROFILE, AWS_ENDPOINT_URL …).

Flags:
`

func parseRedrive(args []string, out io.Writer) (*redriveFlags, error) {
	f := new(redriveFlags)
	set := flag.NewFlagSet("redrive", flag.ContinueOnError)
	set.SetOutput(out)
	set.Usage = func() {
		_, _ = io.WriteString(out, redriveUsage)
		set.PrintDefaults()
	}
	set.StringVar(&f.from, "from", "", "the `source`")
	set.StringVar(&f.to, "to", "", "the `target`")
	set.StringVar(&f.mapping, "mapping", "", "the `file` of a mapping, for its cluster and its credentials")
	set.StringVar(&f.servers, "bootstrap-servers", "", "`host:port,…` of a cluster without credentials")
	set.StringVar(&f.secrets, "secrets", "/run/secrets", "the `directory` of secrets that a mapping names file:NAME; arn: is AWS Secrets Manager, env: the environment")
	set.StringVar(&f.functions, "functions", "", "the `file` of functions, as esm serve has it, for -to function:NAME")
	set.StringVar(&f.group, "group", "", "the consumer `group` that keeps the progress of a topic (default esm-redrive-TOPIC, and the filter's id)")
	set.IntVar(&f.batch, "batch-size", 100, "the most `records` of a batch, 1 to 10000")
	set.Float64Var(&f.rate, "rate", 0, "the most `records` a second, 0 = no limit")
	set.BoolVar(&f.dryRun, "dry-run", false, "list and count, hand nothing over and keep no progress")
	set.BoolVar(&f.list, "list", false, "print a line for each failure; with -dry-run always")
	set.BoolVar(&f.keepTimestamps, "keep-timestamps", false, "write records to topics with their old timestamps, by which retention deletes them")
	set.StringVar(&f.after, "after", "move", "what becomes of an S3 object: `move`, tag or delete")
	set.StringVar(&f.moveTo, "move-to", "redriven/", "the `prefix` of moved objects")
	set.DurationVar(&f.visibility, "visibility", 15*time.Minute, "how `long` a queue hides what was read from others")
	set.BoolVar(&f.pathStyle, "s3-path-style", false, "address buckets by path, as most S3 stores that are not AWS's want")
	set.Var(&f.conditions, "condition", "take failures of this `condition`, such as RecordAgeExceeded; may be repeated")
	set.Var(&f.since, "since", "take failures from this `time` on, or of the last 36h")
	set.Var(&f.until, "until", "take failures before this `time`, or before 36h ago")
	set.Var(&f.keys, "key", "take failures of records with this `key`; may be repeated")
	set.Var(&f.patterns, "pattern", "take failures of records that match this EventBridge `pattern`; may be repeated")
	set.IntVar(&f.maxRedrives, "max-redrives", 0, "pass over failures that came back this many `times`, 0 = none")
	if err := set.Parse(args); err != nil {
		return nil, err
	}
	switch {
	case set.NArg() > 0:
		return nil, fmt.Errorf("unknown argument %q", set.Arg(0))
	case f.from == "":
		return nil, errors.New("-from is missing: where are the failures?")
	case f.to == "" && !f.dryRun:
		return nil, errors.New("-to is missing: where do the records go? (-dry-run goes without)")
	case strings.HasPrefix(f.to, "function:") != (f.functions != ""):
		return nil, errors.New("-functions and -to function:NAME: give both or none")
	case f.mapping != "" && f.servers != "":
		return nil, errors.New("-mapping and -bootstrap-servers are both given: one of them names the cluster")
	}
	return f, nil
}

func (f *redriveFlags) filter() redrive.Filter {
	out := redrive.Filter{Since: f.since.Time, Until: f.until.Time, Patterns: f.patterns, MaxRedrives: f.maxRedrives}
	for _, c := range f.conditions {
		out.Conditions = append(out.Conditions, destination.Condition(c))
	}
	for _, k := range f.keys {
		out.Keys = append(out.Keys, []byte(k))
	}
	return out
}

// runRedrive runs the command.
func runRedrive(ctx context.Context, args []string, s streams) int {
	f, err := parseRedrive(args, s.err)
	if errors.Is(err, flag.ErrHelp) {
		return exitOK
	}
	if err != nil {
		_, _ = fmt.Fprintf(s.err, "esm redrive: %v\nesm redrive -h shows the flags.\n", err)
		return exitUsage
	}
	if err := f.redrive(ctx, s); err != nil {
		_, _ = fmt.Fprintf(s.err, "esm redrive: %v\n", err)
		if ctx.Err() != nil {
			_, _ = fmt.Fprintln(s.err, "Stopped. The same command continues from there.")
		}
		return exitFailed
	}
	return exitOK
}

func (f *redriveFlags) redrive(ctx context.Context, s streams) (err error) {
	ends, err := f.open(ctx, slog.New(slog.NewTextHandler(s.err, &slog.HandlerOptions{Level: slog.LevelWarn})))
	if err != nil {
		return err
	}
	// What was in flight is settled even if the run was stopped.
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		err = errors.Join(err, ends.close(closing))
	}()
	show := newProgress(s.err, ends.source.Total(ctx))
	report, err := redrive.Run(ctx, ends.source, ends.target, redrive.Options{BatchSize: f.batch, Rate: f.rate, Filter: f.filter(),
		DryRun: f.dryRun, Records: ends.records, OnItem: func(i redrive.Settled) {
			if f.list || f.dryRun {
				show.clear()
				_, _ = fmt.Fprintln(s.out, line(i))
			}
			show.add(i)
		}})
	show.clear()
	_, _ = io.WriteString(s.out, summary(report, f.dryRun))
	return err
}

// line describes a failure and its outcome.
func line(i redrive.Settled) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", i.Outcome, i.Where)
	if i.Document != nil {
		fmt.Fprintf(&b, " %s %s", i.Document.Time.UTC().Format(time.RFC3339), i.Document.Condition)
		for k := range i.Offsets {
			o := &i.Offsets[k]
			if k == 3 {
				fmt.Fprintf(&b, " and %d partitions more", len(i.Offsets)-k)
				break
			}
			fmt.Fprintf(&b, " %s@%d", o.Key(), o.Runs[0].First)
			if n := o.Len(); n > 1 {
				fmt.Fprintf(&b, "…%d (%d records)", o.Runs[len(o.Runs)-1].Last, n)
			}
		}
		if i.Redrives > 0 {
			fmt.Fprintf(&b, " redrives=%d", i.Redrives)
		}
		if i.Gone > 0 {
			fmt.Fprintf(&b, " gone=%d", i.Gone)
		}
	}
	if err := errors.Join(i.Err, i.Why); err != nil {
		b.WriteString(": " + strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return b.String()
}

// summary formats the report, with each outcome that occurred.
func summary(r redrive.Report, dry bool) string {
	var b strings.Builder
	taken := "brought back"
	if dry {
		taken = "would be handed over"
	}
	fmt.Fprintf(&b, "%d failures read", r.Read())
	for _, o := range []struct {
		outcome redrive.Outcome
		text    string
	}{
		{redrive.Redriven, taken}, {redrive.Returned, "failed again and are back"}, {redrive.PassedOver, "passed over by the filter"},
		{redrive.Gone, "left: retention took their records"}, {redrive.Inexact, "left: they name ranges that may hold records that did not fail"},
		{redrive.Unreadable, "left: no failures"},
	} {
		if n := r.Failures[o.outcome]; n > 0 {
			fmt.Fprintf(&b, ", %d %s", n, o.text)
		}
	}
	fmt.Fprintf(&b, "\n%d records handed over", r.Records)
	if r.RecordsGone > 0 {
		fmt.Fprintf(&b, ", %d gone by retention", r.RecordsGone)
	}
	b.WriteString("\n")
	return b.String()
}
