package esmprom_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metricsql"
	"go.yaml.in/yaml/v3"
)

// checkQuery parses a query and checks that each metric that it names is exported.
func checkQuery(t *testing.T, what, query string, names map[string]bool) {
	t.Helper()
	e, err := metricsql.Parse(query)
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	found := 0
	metricsql.VisitAll(e, func(e metricsql.Expr) {
		m, ok := e.(*metricsql.MetricExpr)
		if !ok {
			return
		}
		for _, or := range m.LabelFilterss {
			for _, l := range or {
				if l.Label == "__name__" {
					found++
					if !names[l.Value] {
						t.Errorf("%s: %s is not exported", what, l.Value)
					}
				}
			}
		}
	})
	if found == 0 {
		t.Errorf("%s names no metric: %s", what, query)
	}
}

func TestAlertRules(t *testing.T) {
	data, err := os.ReadFile("rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	d := yaml.NewDecoder(strings.NewReader(string(data)))
	d.KnownFields(true)
	if err := d.Decode(&file); err != nil {
		t.Fatal(err)
	}
	names, rules, seen := exported(t), 0, make(map[string]bool)
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			rules++
			checkQuery(t, r.Alert, r.Expr, names)
			if r.Alert == "" || seen[r.Alert] || r.Labels["severity"] == "" || r.Annotations["summary"] == "" {
				t.Errorf("the rule %q has no name of its own, severity or summary", r.Alert)
			}
			seen[r.Alert] = true
			if r.For != "" {
				if _, err := time.ParseDuration(r.For); err != nil {
					t.Errorf("%s: %v", r.Alert, err)
				}
			}
		}
	}
	if rules == 0 {
		t.Error("no rules")
	}
}

func TestDashboard(t *testing.T) {
	data, err := os.ReadFile("dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Title, UID string
		Panels     []struct {
			ID      int
			Title   string
			Type    string
			Targets []struct{ RefID, Expr, LegendFormat string }
		}
		Templating struct {
			List []struct {
				Name string
			}
		}
	}
	if err := json.Unmarshal(data, &board); err != nil {
		t.Fatal(err)
	}
	names, ids := exported(t), make(map[int]bool)
	fill := strings.NewReplacer("$function_name", ".*", "$__rate_interval", "5m")
	for _, p := range board.Panels {
		if ids[p.ID] || p.Title == "" || len(p.Targets) == 0 {
			t.Errorf("panel %d %q: the id is there twice, or it has no title or no query", p.ID, p.Title)
		}
		ids[p.ID] = true
		for _, q := range p.Targets {
			checkQuery(t, p.Title+" "+q.RefID, fill.Replace(q.Expr), names)
		}
	}
	if len(board.Panels) == 0 || len(board.Templating.List) != 2 {
		t.Error("no panels, or not the two variables")
	}
}
