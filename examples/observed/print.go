package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

// printTree prints the spans of the batches with their children and links, a few of each kind.
func printTree(out io.Writer, spans tracetest.SpanStubs) {
	named := make(map[trace.SpanID]string)
	beneath := make(map[trace.SpanID]tracetest.SpanStubs)
	for _, s := range spans {
		named[s.SpanContext.SpanID()] = s.Name
		beneath[s.Parent.SpanID()] = append(beneath[s.Parent.SpanID()], s)
	}
	slices.SortStableFunc(spans, func(a, b tracetest.SpanStub) int { return a.StartTime.Compare(b.StartTime) })
	printed := make(map[string]int)
	for _, s := range spans {
		kind := s.Name + s.Status.Code.String()
		if s.Parent.IsValid() || strings.HasSuffix(s.Name, "publish") || printed[kind] >= 2 {
			continue
		}
		printed[kind]++
		printSpan(out, "", s, beneath)
		for i, l := range s.Links {
			if i == 3 {
				fmt.Fprintf(out, "  ~ further links: %d\n", len(s.Links)-i)
				break
			}
			fmt.Fprintf(out, "  ~ links to %q of trace %s\n", named[l.SpanContext.SpanID()], l.SpanContext.TraceID())
		}
	}
}

func printSpan(out io.Writer, indent string, s tracetest.SpanStub, beneath map[trace.SpanID]tracetest.SpanStubs) {
	fmt.Fprintf(out, "%s%s (%s, %v)", indent, s.Name, s.SpanKind, s.EndTime.Sub(s.StartTime).Round(1000))
	for _, a := range s.Attributes {
		switch a.Key {
		case "messaging.batch.message_count", "messaging.destination.partition.id", "messaging.kafka.offset", "esm.attempt", "error.type":
			fmt.Fprintf(out, " %s=%s", a.Key, a.Value.Emit())
		}
	}
	fmt.Fprintln(out)
	for _, c := range beneath[s.SpanContext.SpanID()] {
		printSpan(out, indent+"  └ ", c, beneath)
	}
}

// printMetrics prints some of what Prometheus would scrape.
func printMetrics(ctx context.Context, out io.Writer, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/metrics", nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		for _, name := range []string{"esm_polled_records_total", "esm_invoke_errors_total", "esm_retries_total", "esm_committed_offsets_total", "esm_sum_offset_lag",
			"esm_invocation_duration_seconds_count", "esm_record_latency_seconds_sum", "esm_batch_fill_sum"} {
			if strings.HasPrefix(lines.Text(), name+"{") {
				fmt.Fprintln(out, lines.Text())
			}
		}
	}
	return lines.Err()
}
