package keda

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/esm-go/esm/keda/internal/externalscaler"
)

// MetricName is the name of the only metric: the number of wanted replicas. Its target is 1, averaged over
// the replicas, so the HPA's ceil(value / target) is the value.
const MetricName = "esm-replicas"

// service implements KEDA's contract.
type service struct {
	externalscaler.UnimplementedExternalScalerServer

	server *Server
}

// IsActive reports whether there is anything to do.
func (s *service) IsActive(ctx context.Context, ref *externalscaler.ScaledObjectRef) (*externalscaler.IsActiveResponse, error) {
	a, err := s.answer(ctx, ref)
	if err != nil {
		return nil, err
	}
	return &externalscaler.IsActiveResponse{Result: a.active}, nil
}

// StreamIsActive reports it at once and at every change, until the caller or the Server ends the stream. It
// sends nothing while brokers do not answer.
func (s *service) StreamIsActive(ref *externalscaler.ScaledObjectRef, stream grpc.ServerStreamingServer[externalscaler.IsActiveResponse]) error {
	o, err := s.server.follow(ref, +1)
	if err != nil {
		return statusOf(err)
	}
	defer o.touch(-1)
	var told *bool
	for {
		now, err := o.wait(stream.Context(), func(s state) bool {
			return s.answer != nil && (told == nil || *told != s.answer.active)
		})
		if err != nil {
			return statusOf(err)
		}
		active := now.answer.active
		if err := stream.Send(&externalscaler.IsActiveResponse{Result: active}); err != nil {
			return err
		}
		told = &active
	}
}

// GetMetricSpec names the metric. It asks no broker, but it validates the metadata and starts the trigger's
// loop.
func (s *service) GetMetricSpec(_ context.Context, ref *externalscaler.ScaledObjectRef) (*externalscaler.GetMetricSpecResponse, error) {
	if _, err := s.server.follow(ref, 0); err != nil {
		return nil, statusOf(err)
	}
	return &externalscaler.GetMetricSpecResponse{MetricSpecs: []*externalscaler.MetricSpec{
		{MetricName: MetricName, TargetSize: 1, TargetSizeFloat: 1},
	}}, nil
}

// GetMetrics returns the wanted replicas.
func (s *service) GetMetrics(ctx context.Context, req *externalscaler.GetMetricsRequest) (*externalscaler.GetMetricsResponse, error) {
	if name := req.GetMetricName(); name != "" && name != MetricName {
		return nil, statusOf(&InvalidMetadataError{Fields: []*FieldError{
			{Field: "metricName", Value: name, Problem: "is not a metric of this scaler", Allowed: MetricName},
		}})
	}
	a, err := s.answer(ctx, req.GetScaledObjectRef())
	if err != nil {
		return nil, err
	}
	return &externalscaler.GetMetricsResponse{MetricValues: []*externalscaler.MetricValue{
		{MetricName: MetricName, MetricValue: int64(a.replicas), MetricValueFloat: float64(a.replicas)},
	}}, nil
}

// answer returns the last answer, or waits for the first attempt to get one.
func (s *service) answer(ctx context.Context, ref *externalscaler.ScaledObjectRef) (*answer, error) {
	for {
		o, err := s.server.follow(ref, 0)
		if err != nil {
			return nil, statusOf(err)
		}
		now, err := o.wait(ctx, func(s state) bool { return s.readings > 0 })
		if errors.Is(err, errEvicted) {
			continue
		}
		if err != nil {
			return nil, statusOf(err)
		}
		a, err := now.current(o.clock.now(), o.cfg.maxAge)
		if err != nil {
			return nil, statusOf(err)
		}
		return a, nil
	}
}

// current returns the last answer, unless it is too old to act on.
func (s state) current(now time.Time, maxAge time.Duration) (*answer, error) {
	switch {
	case s.answer == nil:
		return nil, s.failure
	case s.failure == nil:
		return s.answer, nil
	}
	age := now.Sub(s.answer.at)
	if age > maxAge {
		return nil, fmt.Errorf("the last answer, %d replicas, is %s old, over maxAge %s: %w",
			s.answer.replicas, age.Round(time.Second), maxAge, s.failure)
	}
	return s.answer, nil
}

// statusOf gives an error its gRPC code. Any other error is a broker's: Unavailable, which is worth a retry.
func statusOf(err error) error {
	if _, ok := status.FromError(err); ok {
		return err // of the caller's own context
	}
	code := codes.Unavailable
	if invalid, ok := errors.AsType[*InvalidMetadataError](err); ok {
		st := status.New(codes.InvalidArgument, err.Error())
		details := &errdetails.BadRequest{}
		for _, f := range invalid.Fields {
			details.FieldViolations = append(details.FieldViolations,
				&errdetails.BadRequest_FieldViolation{Field: f.Field, Description: f.Error()})
		}
		if with, err := st.WithDetails(details); err == nil {
			st = with
		}
		return st.Err()
	}
	if _, ok := errors.AsType[*secretsError](err); ok {
		code = codes.FailedPrecondition
	}
	if errors.Is(err, errTooMany) {
		code = codes.ResourceExhausted
	}
	return status.Error(code, err.Error())
}
