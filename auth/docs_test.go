package auth

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The table of situations in docs/auth.md lists the situations that TestDriversAlike tests, in the same order.
func TestSituationsAreDocumented(t *testing.T) {
	page := string(must(os.ReadFile("../docs/auth.md")))
	_, table, _ := strings.Cut(page, "| Situation | `driver/franz` | `driver/confluent` |\n| --- | --- | --- |\n")
	table, _, _ = strings.Cut(table, "\n\n")
	var rows []string
	for row := range strings.SplitSeq(table, "\n") {
		rows = append(rows, strings.TrimSpace(strings.Split(row, "|")[1]))
	}
	var tried []string
	for _, match := range regexp.MustCompile(`(?m)^\t\t\{"([^"]+)", (?:""|[a-z0-9]+), "`).FindAllStringSubmatch(string(must(os.ReadFile("../secure_alike_test.go"))), -1) {
		tried = append(tried, match[1])
	}
	if len(tried) < 18 || !slices.Equal(rows, tried) {
		t.Errorf("documented\n%q\ntried\n%q", rows, tried)
	}
}
