package golambda

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/aws/aws-lambda-go/lambda"
)

var (
	contextType = reflect.TypeFor[context.Context]()
	errorType   = reflect.TypeFor[error]()
)

// check returns an error if lambda.Start would not accept the handler. aws-lambda-go itself finds that out only at the
// first invocation.
func check(handler any) error {
	if handler == nil {
		return errors.New("the handler is nil")
	}
	if _, ok := handler.(lambda.Handler); ok {
		return nil
	}
	t := reflect.TypeOf(handler)
	if t.Kind() != reflect.Func {
		return fmt.Errorf("the handler is a %s, not a func", t)
	}
	if reflect.ValueOf(handler).IsNil() {
		return errors.New("the handler is a nil func")
	}
	isContext := func(t reflect.Type) bool {
		return t.Kind() == reflect.Interface && t.NumMethod() > 0 && contextType.Implements(t) && t.Implements(contextType)
	}
	switch in := t.NumIn(); {
	case in > 2:
		return fmt.Errorf("%s takes %d arguments, at most two are allowed", t, in)
	case in == 2 && !isContext(t.In(0)):
		return fmt.Errorf("%s takes two arguments, of which the first is not a context.Context", t)
	case in == 1 && t.In(0).Kind() == reflect.Interface && t.In(0).NumMethod() > 0 && !isContext(t.In(0)):
		return fmt.Errorf("%s takes an interface that is not context.Context", t)
	}
	switch out := t.NumOut(); {
	case out > 2:
		return fmt.Errorf("%s returns %d values, at most two are allowed", t, out)
	case out > 0 && !t.Out(out-1).Implements(errorType):
		return fmt.Errorf("%s does not return an error as its last value", t)
	}
	return nil
}
