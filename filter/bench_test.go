package filter

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// order1KB is a nested order event of about 1 KB, compact as producers send it.
const order1KB = `{"eventId":"5f0c2a7e-9d1b-4c3f-8a60-0b7d1e2f3a4c","eventType":"order.updated","version":3,"source":"shop-eu","occurredAt":"2026-03-14T09:26:53.589Z",` +
	`"order":{"id":"ORD-2026-0031415","status":"PAID","currency":"EUR","total":265.35,"discount":0.0,"note":"Leave with \"Anna\" at the back door\nRing twice","gift":false,` +
	`"customer":{"id":897932,"name":"Jos\u00e9 Garc\u00eda","tier":"gold","email":"jose.garcia@example.com","since":"2019-07-01","address":{"street":"Calle de Alcal\u00e1 42","city":"Madrid","zip":"28014","country":"ES"}},` +
	`"items":[{"sku":"AB-1001","name":"Kettle, 1.7 l","qty":1,"price":39.9,"tags":["kitchen","electric"]},{"sku":"CD-2002","name":"Tea \"Earl Grey\"","qty":5,"price":4.25,"tags":["food"]},{"sku":"EF-3003","name":"Chair","qty":2,"price":102.1,"tags":[]}],` +
	`"shipping":{"carrier":"correos","method":"express","cost":6.95,"eta":"2026-03-16","parcels":[{"weight":2.41,"dims":[30,20,20]}]}},` +
	`"trace":{"id":"4bf92f3577b34da6a3ce929d0e0e4736","span":"00f067aa0ba902b7","sampled":true,"baggage":null}}`

const record60 = `{"id":12345,"type":"order","status":"NEW","amount":99.5012}`

// fiveNone has five filters with nine paths, none of which order1KB meets.
var fiveNone = []string{
	`{"value":{"eventType":["order.deleted","order.created"],"order":{"status":["NEW"]}}}`,
	`{"value":{"source":["shop-us"],"order":{"currency":["USD","CAD"]}}}`,
	`{"value":{"order":{"customer":{"tier":["platinum"],"address":{"country":["DE","FR"]}}}}}`,
	`{"value":{"order":{"shipping":{"method":["standard"],"carrier":["dhl"]}}}}`,
	`{"value":{"trace":{"sampled":[false]}}}`,
}

var fiveFull = []string{
	`{"value":{"eventType":[{"prefix":"order."}],"order":{"total":[{"numeric":[">",1000]}]}}}`,
	`{"value":{"source":[{"suffix":"-us"}],"order":{"currency":[{"anything-but":["EUR","USD"]}]}}}`,
	`{"value":{"$or":[{"order":{"status":["NEW"]}},{"order":{"customer":{"id":[{"numeric":[">=",1,"<",1000]}]}}}]}}`,
	`{"value":{"order":{"shipping":{"method":[{"equals-ignore-case":"STANDARD"}],"carrier":[{"wildcard":"d*l"}]}}}}`,
	`{"value":{"trace":{"baggage":[{"exists":false}]},"order":{"gift":[true]}}}`,
}

var fiveArrays = []string{
	`{"value":{"order":{"items":{"sku":["AB-1001"],"qty":[5]}}}}`,
	`{"value":{"order":{"items":{"tags":["food"],"price":[{"numeric":[">",100]}]}}}}`,
	`{"value":{"order":{"items":{"sku":[{"prefix":"ZZ"}]}}}}`,
	`{"value":{"order":{"status":["NEW"]}}}`,
	`{"value":{"source":["shop-us"]}}`,
}

func mustCompile(tb testing.TB, patterns ...string) *Set {
	tb.Helper()
	set, err := Compile(patterns)
	if err != nil {
		tb.Fatal(err.(*InvalidPatternError).Problems[0])
	}
	return set
}

// array10k is an array of n objects; only the last one has the wanted sku and qty.
func array10k(n int) string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = fmt.Sprintf(`{"sku":"S-%d","qty":%d,"price":%d.5}`, i%7, i%10, i)
	}
	parts[n-1] = `{"sku":"S-1","qty":77,"price":1}`
	return `{"items":[` + strings.Join(parts, ",") + `]}`
}

func BenchmarkMatch(b *testing.B) {
	one := append([]string{`{"value":{"order":{"status":["PAID"]},"source":["shop-eu"]}}`}, fiveNone[1:]...)
	text := strings.Repeat("abcdefgh ", 900)
	cases := []struct {
		name     string
		patterns []string
		value    string
		want     Outcome
	}{
		{"1KB/five/none", fiveNone, order1KB, NotMatched},
		{"1KB/five/one", one, order1KB, Matched},
		{"1KB/five/operators", fiveFull, order1KB, NotMatched},
		{"1KB/five/arrays", fiveArrays, order1KB, NotMatched},
		{"60B/one", []string{`{"value":{"status":["NEW"]}}`}, record60, Matched},
		{"60B/five", []string{`{"value":{"status":["OLD"]}}`, `{"value":{"type":["x"]}}`, `{"value":{"amount":[{"numeric":[">",100]}]}}`, `{"value":{"id":[7]}}`, `{"value":{"status":["PAID"],"id":[12345]}}`}, record60, NotMatched},
		{"8KB/string", []string{`{"value":{"id":[1]}}`}, `{"text":"` + text + `","id":1}`, Matched},
		{"text", []string{`{"value":[{"prefix":"ERROR"}]}`}, "ERROR: no route to the host 10.0.0.1, giving up after three attempts", Matched},
		{"array10/pair", []string{`{"value":{"items":{"sku":["S-1"],"qty":[77]}}}`}, array10k(10), Matched},
		{"array10000/pair", []string{`{"value":{"items":{"sku":["S-1"],"qty":[77]}}}`}, array10k(10_000), Matched},
		{"array10000/pair-none", []string{`{"value":{"items":{"sku":["S-1"],"qty":[78,2],"price":[3.5]}}}`}, array10k(10_000), NotMatched},
		{"array10000/absent", []string{`{"value":{"items":{"qty":[77],"sku":["S-2"],"zip":[{"exists":false}]}}}`}, array10k(10_000), NotMatched},
	}
	for _, c := range cases {
		b.Run(c.name, func(b *testing.B) {
			set := mustCompile(b, c.patterns...)
			value := []byte(c.value)
			var scratch Scratch
			if got := set.Match(&scratch, value); got != c.want {
				b.Fatalf("got %v, want %v", got, c.want)
			}
			b.SetBytes(int64(len(value)))
			b.ReportAllocs()
			for b.Loop() {
				set.Match(&scratch, value)
			}
		})
	}
}

// BenchmarkMatchParallel shares one Set among goroutines with one Scratch each.
func BenchmarkMatchParallel(b *testing.B) {
	set := mustCompile(b, fiveNone...)
	value := []byte(order1KB)
	b.SetBytes(int64(len(value)))
	b.RunParallel(func(pb *testing.PB) {
		var scratch Scratch
		for pb.Next() {
			set.Match(&scratch, value)
		}
	})
}

// BenchmarkPeer decodes the same 1 KB record with encoding/json and walks to the nine fields of fiveNone,
// comparing each with its wanted strings, as a hand-written filter would.
func BenchmarkPeer(b *testing.B) {
	paths := [][]string{
		{"eventType", "order.deleted", "order.created"}, {"order.status", "NEW"}, {"source", "shop-us"},
		{"order.currency", "USD", "CAD"}, {"order.customer.tier", "platinum"}, {"order.customer.address.country", "DE", "FR"},
		{"order.shipping.method", "standard"}, {"order.shipping.carrier", "dhl"}, {"trace.sampled", "false"},
	}
	split := make([][]string, len(paths))
	for i, p := range paths {
		split[i] = strings.Split(p[0], ".")
	}
	walk := func(root any) int {
		met := 0
		for i, keys := range split {
			at := root
			for _, k := range keys {
				m, _ := at.(map[string]any)
				at = m[k]
			}
			s, _ := at.(string)
			for _, want := range paths[i][1:] {
				if s == want {
					met++
				}
			}
		}
		return met
	}
	value := []byte(order1KB)
	b.Run("unmarshal+walk", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(value)))
		for b.Loop() {
			var v any
			if err := json.Unmarshal(value, &v); err != nil {
				b.Fatal(err)
			}
			if walk(v) != 0 {
				b.Fatal("a field is met")
			}
		}
	})
	b.Run("valid", func(b *testing.B) {
		b.SetBytes(int64(len(value)))
		for b.Loop() {
			if !json.Valid(value) {
				b.Fatal("not valid")
			}
		}
	})
}

func BenchmarkCompile(b *testing.B) {
	for name, patterns := range map[string][]string{"values": fiveNone, "operators": fiveFull} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Compile(patterns); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
