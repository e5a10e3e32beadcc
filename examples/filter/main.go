// Command filter shows which records match the patterns of a FilterCriteria.
//
//	go run ./examples/filter                                  # a built-in sample
//	go run ./examples/filter -pattern '{"value":{"status":["NEW"]}}' records.jsonl
//	kcat … | go run ./examples/filter -patterns filters.json -explain -
//
// Each input line is one record's value; an empty line is a tombstone. The patterns file contains Lambda's
// FilterCriteria, {"Filters":[{"Pattern":"…"}]}, or one pattern per line.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/esm-go/esm/filter"
)

var samplePatterns = []string{
	`{"value":{"status":["NEW",{"prefix":"PENDING"}],"total":[{"numeric":[">=",100]}]}}`,
	`{"value":{"items":{"sku":["KETTLE"],"qty":[{"numeric":[">",1]}]}}}`,
}

const sampleRecords = `{"id":1,"status":"NEW","total":250,"items":[{"sku":"CHAIR","qty":2}]}
{"id":2,"status":"NEW","total":"250","items":[]}
{"id":3,"status":"PAID","total":80,"items":[{"sku":"KETTLE","qty":1},{"sku":"CHAIR","qty":4}]}
{"id":4,"status":"PAID","total":80,"items":[{"sku":"CHAIR","qty":4},{"sku":"KETTLE","qty":3}]}
not JSON at all
`

// patternList is a flag that may be repeated.
type patternList []string

func (p *patternList) String() string     { return strings.Join(*p, " ") }
func (p *patternList) Set(s string) error { *p = append(*p, s); return nil }

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "filter:", err)
		os.Exit(1)
	}
}

func run(args []string, in io.Reader, out io.Writer) error {
	flags := flag.NewFlagSet("filter", flag.ContinueOnError)
	var patterns patternList
	flags.Var(&patterns, "pattern", "a filter `pattern`; may be given several times")
	file := flags.String("patterns", "", "a `file` of patterns: FilterCriteria as JSON, or one pattern a line")
	explain := flags.Bool("explain", false, "say field by field why a record matches or does not")
	strict := flags.Bool("strict", false, "refuse operators that Lambda's page does not list")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *file != "" {
		more, err := readPatterns(*file)
		if err != nil {
			return err
		}
		patterns = append(patterns, more...)
	}
	switch {
	case flags.NArg() > 1:
		return errors.New("give one file of records, or - for the standard input")
	case flags.NArg() == 1 && flags.Arg(0) != "-":
		f, err := os.Open(flags.Arg(0))
		if err != nil {
			return err
		}
		defer f.Close() //nolint:errcheck // it was only read
		in = f
	case flags.NArg() == 0 && len(patterns) == 0:
		patterns, in = samplePatterns, strings.NewReader(sampleRecords)
		*explain = true
	}
	opts := []filter.Option{filter.WithMaxFilters(filter.QuotaMaxFilters)}
	if *strict {
		opts = append(opts, filter.Strict())
	}
	return show(patterns, opts, in, out, *explain)
}

// readPatterns reads a FilterCriteria, or one pattern per line.
func readPatterns(name string) ([]string, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var criteria struct{ Filters []struct{ Pattern string } }
	if json.Unmarshal(text, &criteria) == nil && len(criteria.Filters) > 0 {
		var out []string
		for _, f := range criteria.Filters {
			out = append(out, f.Pattern)
		}
		return out, nil
	}
	var out []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s holds no pattern", name)
	}
	return out, nil
}

// show prints the outcome for each line, and then the counts.
func show(patterns []string, opts []filter.Option, in io.Reader, out io.Writer, explain bool) error {
	set, err := filter.Compile(patterns, opts...)
	if err != nil {
		if invalid, ok := errors.AsType[*filter.InvalidPatternError](err); ok {
			return fmt.Errorf("%w\n%w", err, errors.Join(invalid.Unwrap()...))
		}
		return err
	}
	w := bufio.NewWriter(out)
	for i, p := range patterns {
		fmt.Fprintf(w, "filter %d: %s\n", i+1, p)
	}
	var scratch filter.Scratch
	counts := map[filter.Outcome]int{}
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) == 0 && err != nil {
			if err != io.EOF {
				return err
			}
			break
		}
		value := bytes.TrimRight(line, "\r\n")
		if len(value) == 0 {
			value = nil
		}
		outcome := set.Match(&scratch, value)
		counts[outcome]++
		fmt.Fprintf(w, "\n%-10v %s\n", outcome, value)
		if !explain {
			continue
		}
		for i, p := range patterns {
			e, err := filter.Explain(p, value, opts...)
			if err != nil {
				return err
			}
			fmt.Fprintf(w, "filter %d: %v", i+1, e)
		}
	}
	fmt.Fprintf(w, "\n%d matched, %d not matched, %d of the wrong kind\n",
		counts[filter.Matched], counts[filter.NotMatched], counts[filter.WrongKind])
	return w.Flush()
}
