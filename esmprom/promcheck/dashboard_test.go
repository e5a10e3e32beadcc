package promcheck

import (
	"bytes"
	"os"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// load parses a dashboard with Grafana's own types, including the options of its panels and its queries: no field may
// be unknown, missing or of the wrong type.
func load(data []byte) string {
	var d dashboard.Dashboard
	if err := d.UnmarshalJSONStrict(data); err != nil && err.Error() != "" { // it is not nil even if there is no error
		return err.Error()
	}
	if err := d.Validate(); err != nil {
		return err.Error()
	}
	return ""
}

func TestDashboardIsGrafanas(t *testing.T) {
	variants := cog.NewRuntime()
	variants.RegisterPanelcfgVariant(stat.VariantConfig())
	variants.RegisterPanelcfgVariant(timeseries.VariantConfig())
	variants.RegisterDataqueryVariant(prometheus.VariantConfig())
	data, err := os.ReadFile("../dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	if wrong := load(data); wrong != "" {
		t.Error(wrong)
	}
	for from, to := range map[string]string{`"expr"`: `"expression"`, `"displayMode": "list"`: `"displayMode": 7`, `"gridPos"`: `"grid"`, `"legendFormat"`: `"legend"`} {
		if load(bytes.ReplaceAll(data, []byte(from), []byte(to))) == "" {
			t.Errorf("%s in the place of %s is not noticed", to, from)
		}
	}
}
