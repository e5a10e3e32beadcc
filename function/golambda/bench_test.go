package golambda_test

import (
	"context"
	"testing"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/esm-go/esm/esmtest"
	"github.com/esm-go/esm/function/golambda"
)

// The cost of an invocation without the JSON encoding; bench/README.md has the results.
func BenchmarkInvoke(b *testing.B) {
	handler := func(context.Context) error { return nil }
	e := esmtest.Event("t", esmtest.Values("a")...)
	b.Run("by hand", func(b *testing.B) {
		h := lambda.NewHandler(handler)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := h.Invoke(b.Context(), e.AppendJSON(nil)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("golambda", func(b *testing.B) {
		f, err := golambda.New(handler)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			if err := f.Handle(b.Context(), e); err != nil {
				b.Fatal(err)
			}
		}
	})
}
