package kafkatest

import (
	"strings"
	"testing"
)

func TestReadGuard(t *testing.T) {
	for _, k := range []struct{ kafka, ci, version, skip string }{
		{"", "", "", "ESM_KAFKA=1"},
		{"", "false", "", "ESM_KAFKA=1"},
		{"", "true", DefaultVersion, ""},
		{"0", "", "", "turned off"},
		{"0", "true", "", "turned off"},
		{"1", "", DefaultVersion, ""},
		{"3.9.1", "true", "3.9.1", ""},
	} {
		g := readGuard(func(name string) string { return map[string]string{"ESM_KAFKA": k.kafka, "CI": k.ci}[name] })
		if g.version != k.version || (k.skip == "") != (g.skip == "") || !strings.Contains(g.skip, k.skip) {
			t.Errorf("ESM_KAFKA=%q CI=%q: %+v", k.kafka, k.ci, g)
		}
	}
}

func TestConfig(t *testing.T) {
	for _, k := range []struct {
		version string
		opts    []Option
		want    string
	}{
		{"1.2.3", nil, `unknown Apache Kafka version "1.2.3"`},
		{DefaultVersion, []Option{Nodes(0)}, "Nodes(0)"},
		{"2.8.2", []Option{ACLs()}, "ZooKeeper"},
	} {
		if _, _, err := newConfig(k.version, k.opts); err == nil || !strings.Contains(err.Error(), k.want) {
			t.Errorf("%s: error %v, want one with %q", k.version, err, k.want)
		}
	}
	key := func(opts ...Option) string {
		c, _, err := newConfig(DefaultVersion, opts)
		if err != nil {
			t.Fatal(err)
		}
		return c.key()
	}
	if key(Property("a", "1"), Property("b", "2")) != key(Property("b", "2"), Property("a", "1")) {
		t.Error("the order of properties changes the key")
	}
	if key() == key(Secure()) || key(Property("a", "1")) == key(Property("a", "2")) {
		t.Error("different options have one key")
	}
}

func TestClusterID(t *testing.T) {
	for range 2000 {
		if id := newClusterID(); len(id) != 22 || id[0] == '-' {
			t.Fatalf("cluster id %q", id)
		}
	}
}
