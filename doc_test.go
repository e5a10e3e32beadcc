package esm_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// Every test that the package documentation names for a guarantee exists.
func TestTheGuaranteesTestsAreThere(t *testing.T) {
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	declared := make(map[string]bool)
	for _, path := range goFiles(t) {
		if !strings.HasSuffix(path, "_test.go") {
			continue
		}
		source, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(string(source), -1) {
			declared[match[1]] = true
		}
	}
	_, guarantees, _ := strings.Cut(string(text), "# Guarantees")
	guarantees, _, _ = strings.Cut(guarantees, "\n// # ")
	named := regexp.MustCompile(`Test[A-Z]\w+`)
	for _, guarantee := range regexp.MustCompile(`(?m)^//  \d\. `).Split(guarantees, -1)[1:] {
		tests := named.FindAllString(guarantee, -1)
		if len(tests) == 0 {
			t.Errorf("no test is named for: %s", guarantee)
		}
		for _, test := range tests {
			if !declared[test] {
				t.Errorf("there is no %s", test)
			}
		}
	}
}
