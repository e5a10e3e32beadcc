package console_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/manager"
	"github.com/esm-go/esm/manager/console"
)

// TestWithoutScripts adds, edits, disables and deletes a mapping with forms only.
func TestWithoutScripts(t *testing.T) {
	r := newRig(t)
	topic := r.cluster.NewTopic(t, 1)
	form := r.form(topic)
	form.Set("batch", "25")
	form.Set("retries", "3")
	form.Set("items", "on")
	form.Set("tags", "team=x\nstage=")
	form["filters"] = []string{`{"value":{"a":[1]}}`, "", `{"value":{"b":[2]}}`}
	if code, page := r.post("add", form); code != http.StatusOK || !strings.Contains(page, "<h1>orders</h1>") {
		t.Fatal(code, page)
	}
	list, _ := r.manager.List(manager.Filter{})
	if len(list) != 1 {
		t.Fatal("there are", len(list))
	}
	m, id := list[0].Mapping, list[0].Mapping.UUID
	if m.BatchSize != 25 || *m.MaximumRetryAttempts != 3 || len(m.FunctionResponseTypes) != 1 || m.Tags["team"] != "x" || len(m.FilterCriteria.Filters) != 2 {
		t.Errorf("it became %+v", m)
	}
	r.awaitState(id, esm.Enabled)
	code, page := r.get("mappings/" + id + "/edit")
	if code != http.StatusOK || !strings.Contains(page, `value="25"`) || !strings.Contains(page, "team=x") || strings.Contains(page, `name="topics"`) {
		t.Error(code, page)
	}
	_, after, _ := strings.Cut(page, `name="revision" value="`)
	revision, _, _ := strings.Cut(after, `"`)
	form.Set("batch", "26")
	form.Set("revision", revision)
	form.Del("topics")
	form.Del("servers")
	if code, page := r.post("mappings/"+id+"/edit", form); code != http.StatusOK {
		t.Error(code, page)
	}
	if d, _ := r.manager.Get(id); d.Mapping.BatchSize != 26 || len(d.Mapping.FilterCriteria.Filters) != 2 || d.Mapping.Topics[0] != topic {
		t.Errorf("it became %+v", d.Mapping)
	}
	form.Set("batch", "27") // with the old revision
	if code, page := r.post("mappings/"+id+"/edit", form); code != http.StatusUnprocessableEntity || !strings.Contains(page, "The mapping has changed since") {
		t.Error(code, page)
	}
	if code, _ := r.post("mappings/"+id+"/disable", url.Values{}); code != http.StatusOK {
		t.Error(code)
	}
	r.awaitState(id, esm.Disabled)
	if code, page := r.post("add", r.form(topic)); code != http.StatusUnprocessableEntity || !strings.Contains(page, "already exists") {
		t.Error("a second one:", code, page)
	}
	if code, _ := r.post("mappings/"+id+"/delete", url.Values{}); code != http.StatusOK {
		t.Error(code)
	}
	within(t, "its end", func() bool { _, err := r.manager.Get(id); return err != nil })
	if code, page := r.get("mappings/" + id); code != http.StatusNotFound || !strings.Contains(page, "no such mapping") {
		t.Error(code, page)
	}
}

// TestWrongFields submits each field with an error: the error is shown at the field, and nothing is created.
func TestWrongFields(t *testing.T) {
	r := newRig(t)
	for field, value := range map[string]string{
		"function": "unknown", "servers": "broker", "topics": "a b", "position": "SOMEWHERE", "timestamp": "soon", "auth": "NO_AUTH",
		"secret": "static:login", "access": "swordfish", "batch": "many", "window": "301", "filters": `{"value":{"a":[{"nope":1}]}}`, "retries": "-2", "age": "1",
		"destination": "mailto:x", "minimum": "0", "maximum": "100000", "metrics": "All", "loglevel": "LOUD", "kms": "key", "tags": "x", "mode": "Fast",
	} {
		t.Run(field, func(t *testing.T) {
			form := r.form("t")
			form.Set(field, value)
			form.Set("touched", field)
			code, page := r.post("add", form)
			if code != http.StatusUnprocessableEntity {
				t.Errorf("it answers %d", code)
			}
			_, live := r.post("validate", form)
			for _, text := range []string{page, live} {
				_, after, _ := strings.Cut(text, `id="wrong-`+field+`"`)
				said, _, _ := strings.Cut(after, "</p>")
				if _, said, _ = strings.Cut(said, ">"); said == "" {
					t.Errorf("at the field nothing is said; the page has %s", wrongs(text))
				}
				if field == "access" && strings.Contains(said, "swordfish") {
					t.Error("what may be a secret is shown:", said)
				}
			}
		})
	}
	if list, _ := r.manager.List(manager.Filter{}); len(list) > 0 {
		t.Error("there are", len(list))
	}
}

// wrongs returns the errors shown on a page.
func wrongs(page string) (out []string) {
	for _, part := range strings.Split(page, `id="wrong-`)[1:] {
		if text, _, _ := strings.Cut(part, "</p>"); !strings.HasSuffix(text, ">") {
			out = append(out, text)
		}
	}
	return out
}

// TestForeign sends requests that a foreign page may make a browser send, and requests with foreign names that resolve
// to this host.
func TestForeign(t *testing.T) {
	r := newRig(t)
	topic := r.cluster.NewTopic(t, 1)
	for _, header := range [][]string{
		{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Sec-Fetch-Site", "", "Origin", "https://evil.example"}, {"Host", "evil.example"},
	} {
		if code, page := r.post("add", r.form(topic), header...); code != http.StatusForbidden {
			t.Error(header, code, page)
		}
	}
	if code, _ := r.get("", "Host", "evil.example:9001"); code != http.StatusForbidden {
		t.Error("a foreign Host may read:", code)
	}
	if list, _ := r.manager.List(manager.Filter{}); len(list) > 0 {
		t.Error("there are", len(list))
	}
	if code, _ := r.get("static/../../etc/passwd"); code == http.StatusOK {
		t.Error("a path leads out")
	}
	if code, _ := r.post("add", url.Values{"topics": {strings.Repeat("x", 2<<20)}}); code != http.StatusBadRequest {
		t.Error("a form of 2 MiB:", code)
	}
}

func TestForwardedHost(t *testing.T) {
	r := newRig(t, console.WithHosts("esm.example.com"), console.WithForwardedHost())
	if code, page := r.post("add", r.form(r.cluster.NewTopic(t, 1)), "X-Forwarded-Host", "esm.example.com", "Sec-Fetch-Site", "", "Origin", "https://esm.example.com"); code != http.StatusOK {
		t.Error(code, page)
	}
	if code, _ := r.get(""); code != http.StatusForbidden {
		t.Error("by another name it answers", code)
	}
	if list, _ := r.manager.List(manager.Filter{}); len(list) != 1 {
		t.Error("there are", len(list))
	}
}

func TestReadOnly(t *testing.T) {
	r := newRig(t, console.WithReadOnly())
	topic := r.cluster.NewTopic(t, 1)
	id := r.create(r.mapping("orders", topic))
	r.awaitState(id, esm.Enabled)
	for _, path := range []string{"add", "validate", "test", "mappings/" + id + "/edit", "mappings/" + id + "/disable", "mappings/" + id + "/delete", "mappings/" + id + "/reset"} {
		if code, page := r.post(path, r.form(topic)); code != http.StatusForbidden {
			t.Error(path, code, page)
		}
	}
	for path, want := range map[string]int{"": 200, "mappings/" + id: 200, "filter": 200, "add": 404, "mappings/" + id + "/edit": 404, "mappings/" + id + "/reset": 404} {
		code, page := r.get(path)
		if code != want {
			t.Error(path, code)
		}
		if strings.Contains(page, "/delete") || strings.Contains(page, "/add") || strings.Contains(page, `name="from"`) {
			t.Error(path, "offers a change")
		}
	}
	if d, _ := r.manager.Get(id); d.State != esm.Enabled {
		t.Error("it is", d.State)
	}
	if _, page := r.post("filter", url.Values{"pattern": {`{"value":{"a":[1]}}`}, "value": {`{"a":1}`}}); !strings.Contains(page, "matches") {
		t.Error("a filter cannot be tried:", page)
	}
}

// TestAllowed tests connections that the service does not allow, each of which would send secrets somewhere.
func TestAllowed(t *testing.T) {
	r := newRigWith(t, []manager.Option{manager.WithAllowed(manager.Allowed{Servers: []string{"*.example.com:9092"}, Secrets: []string{"static:other"}})})
	for _, form := range []url.Values{
		r.form("t"),
		{"servers": {"a.example.com:9092"}, "auth": {"SASL_SCRAM_512_AUTH"}, "secret": {"static:login"}},
		{"servers": {"a.example.com:9092"}, "auth": {"SASL_SCRAM_512_AUTH"}, "secret": {"static:other"}, "ca": {"static:login"}},
	} {
		if _, page := r.post("test", form); !strings.Contains(page, "is not allowed here") {
			t.Error(form, page)
		}
	}
}

// TestConnection tests connections that fail; the browser test covers one that works.
func TestConnection(t *testing.T) {
	r := newRig(t)
	for want, form := range map[string]url.Values{
		"host:port":          {"servers": {"broker"}},
		"Name at least one":  {"servers": {""}},
		"needs an authentic": {"servers": {"127.0.0.1:1"}, "secret": {"static:login"}},
		"static:missing":     {"servers": {"127.0.0.1:1"}, "auth": {"BASIC_AUTH"}, "secret": {"static:missing"}},
		"Connection error":   {"servers": {"127.0.0.1:1"}},
		"plaintext":          {"servers": r.cluster.Bootstrap(), "auth": {"SASL_SCRAM_512_AUTH"}, "secret": {"static:login"}},
	} {
		_, page := r.post("test", form)
		if !strings.Contains(page, "It does not work") || !strings.Contains(page, want) || strings.Contains(page, "swordfish") {
			t.Errorf("want %q: %s", want, page)
		}
	}
}

// TestEscaped checks that a mapping's names are shown as text, whatever they contain.
func TestEscaped(t *testing.T) {
	r := newRig(t)
	m := r.mapping("orders", r.cluster.NewTopic(t, 1))
	m.FilterCriteria = &esm.FilterCriteria{Filters: []esm.Filter{{Pattern: `{"value":{"a":["<script>alert(1)</script>"]}}`}}}
	id := r.create(m)
	for _, path := range []string{"", "mappings/" + id, "mappings/" + id + "/edit", "filter?pattern=%3Cscript%3Ealert(1)%3C/script%3E&value=%3C/textarea%3E%3Cscript%3Ealert(1)"} {
		if _, page := r.get(path); strings.Contains(page, "<script>alert") {
			t.Error(path, "has a script of a mapping's")
		}
	}
}

// TestLive reads the streams of the list and of a mapping: first everything, then the changes, then the end.
func TestLive(t *testing.T) {
	r := newRig(t)
	id := r.create(r.mapping("orders", r.cluster.NewTopic(t, 1)))
	r.awaitState(id, esm.Enabled)
	type change struct {
		Cells  map[string]string
		Set    string
		Points [][]float64
		Gone   bool
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	follow := func(path string) func() change {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = response.Body.Close() })
		lines := bufio.NewScanner(response.Body)
		lines.Buffer(nil, 1<<20)
		return func() (c change) {
			for lines.Scan() {
				if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
					if err := json.Unmarshal([]byte(data), &c); err != nil {
						t.Fatal(err)
					}
					return c
				}
			}
			t.Fatal("the stream ends:", lines.Err())
			return c
		}
	}
	list, one := follow("live"), follow("live?mapping="+id)
	first := list()
	if first.Cells[id+"/state"] == "" || first.Set == "" {
		t.Errorf("first came %+v", first)
	}
	if c := one(); c.Cells["state"] == "" || c.Cells["driver"] == "" {
		t.Errorf("first came %+v", c)
	}
	if c := one(); len(c.Points) != 1 || c.Cells["driver"] != "" {
		t.Errorf("then came %+v", c)
	}
	if _, err := r.manager.Delete(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	for c := one(); !c.Gone; c = one() {
	}
	for c := list(); c.Set == first.Set; c = list() {
	}
}

// TestNew checks that New rejects invalid options, and reports all of them.
func TestNew(t *testing.T) {
	_, err := console.New(nil, console.WithPrefix("console"), console.WithSecrets(nil))
	for _, want := range []string{"manager is nil", `WithPrefix("console")`, "WithSecrets"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}
