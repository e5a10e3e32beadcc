package promcheck

import (
	"context"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql"
)

// target is a query of the dashboard.
type target struct {
	Expr, LegendFormat string
	panel              string
	shown              bool // in one of the situations
}

// targets returns the queries of all panels.
func targets(t *testing.T) (all []*target) {
	t.Helper()
	data, err := os.ReadFile("../dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			Title   string
			Targets []*target
		}
	}
	if err := json.Unmarshal(data, &board); err != nil {
		t.Fatal(err)
	}
	for _, p := range board.Panels {
		for _, q := range p.Targets {
			q.panel = p.Title
			all = append(all, q)
		}
	}
	return all
}

// chosen are the values of $function_name that Grafana writes into a query: for All (its allValue), one function,
// several, and a different one. $__rate_interval is at least four times the scrape interval.
var chosen = map[string]bool{".*": true, "f": true, "(f|g)": true, "g": false}

// ofLegend finds the labels that a legend names.
var ofLegend = regexp.MustCompile(`{{ *([a-zA-Z_]+) *}}`)

// show evaluates what the panel draws: the query over the time of a situation, for each choice.
func (q *target) show(t *testing.T, s *server) {
	t.Helper()
	lines := make(map[string]int)
	for function, there := range chosen {
		expr := strings.NewReplacer("$function_name", function, "$__rate_interval", "5m").Replace(q.Expr)
		if strings.Contains(expr, "$") {
			t.Errorf("%s: a variable is left: %s", q.panel, expr)
		}
		drawn := s.draw(t, expr)
		lines[function] = len(drawn)
		if !there && len(drawn) > 0 {
			t.Errorf("%s: %s shows another function's", q.panel, expr)
		}
		for _, line := range drawn {
			for _, label := range ofLegend.FindAllStringSubmatch(q.LegendFormat, -1) {
				if line.Metric.Get(label[1]) == "" {
					t.Errorf("%s: the legend %q names %s, which a line has not: %v", q.panel, q.LegendFormat, label[1], line.Metric)
				}
			}
		}
	}
	if lines["f"] != lines[".*"] || lines["(f|g)"] != lines[".*"] {
		t.Errorf("%s: lines by what is chosen: %v", q.panel, lines)
	}
	q.shown = q.shown || lines["f"] > 0
}

// draw evaluates a query over the last ten minutes, like a graph.
func (s *server) draw(t *testing.T, query string) promql.Matrix {
	t.Helper()
	q, err := s.engine.NewRangeQuery(context.Background(), s.db, nil, query, s.end.Add(-10*time.Minute), s.end, 15*time.Second)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer q.Close()
	m, err := q.Exec(context.Background()).Matrix()
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return append(promql.Matrix(nil), m...)
}

// variables fills the dashboard's list of functions: label_values(esm_info, function_name).
func (s *server) variables(t *testing.T) {
	t.Helper()
	for _, line := range s.ask(t, "esm_info", s.end) {
		if line.Metric.Get("function_name") == "f" {
			return
		}
	}
	t.Error("label_values(esm_info, function_name) has no function")
}
