package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/auth/secretsmanager"
	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/destination/redrive"
	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/driver/franz"
)

// redriveEnds are the source and the target of a redrive, and what they need.
type redriveEnds struct {
	source   redrive.Source
	target   redrive.Target
	records  redrive.Records
	producer driver.Producer
	fleet    *fleet
}

func (e *redriveEnds) close(ctx context.Context) (err error) {
	if e.source != nil {
		err = e.source.Close(ctx)
	}
	if e.producer != nil {
		err = errors.Join(err, e.producer.Close(ctx))
	}
	if e.fleet != nil {
		e.fleet.stop(ctx)
	}
	return err
}

// open opens both ends.
func (f *redriveFlags) open(ctx context.Context, logger *slog.Logger) (*redriveEnds, error) {
	connection, err := f.connection(ctx)
	if err != nil {
		return nil, err
	}
	e := new(redriveEnds)
	if err := f.openTarget(ctx, e, connection, logger); err != nil {
		return nil, err
	}
	if connection != nil {
		e.records = redrive.NewReader(*connection)
	}
	if e.source, err = f.openSource(ctx, connection); err != nil {
		return nil, errors.Join(err, e.close(ctx))
	}
	return e, nil
}

func (f *redriveFlags) openSource(ctx context.Context, connection *driver.ProducerConfig) (redrive.Source, error) {
	loadAWS := sync.OnceValues(func() (aws.Config, error) { return config.LoadDefaultConfig(ctx) })
	bucket, isBucket := strings.CutPrefix(f.from, "s3://")
	topic, isTopic := strings.CutPrefix(f.from, "kafka://")
	switch {
	case isTopic:
		if _, err := destination.ParseName(f.from); err != nil {
			return nil, fmt.Errorf("-from %q %w", f.from, err)
		}
		if connection == nil {
			return nil, errors.New("-from names a topic, but nothing names its cluster: give -mapping or -bootstrap-servers")
		}
		return redrive.FromTopic(ctx, redrive.TopicConfig{Connection: *connection, Topic: topic, Group: f.group, Filter: f.filter()})
	case isBucket, strings.HasPrefix(f.from, "arn:") && strings.Contains(f.from, ":s3:"):
		cfg, err := loadAWS()
		if err != nil {
			return nil, err
		}
		name, prefix := f.from, ""
		if isBucket {
			name, prefix, _ = strings.Cut(bucket, "/")
		}
		b := redrive.BucketConfig{AWS: cfg, Bucket: name, Prefix: prefix, After: redrive.AfterRedrive(f.after), MoveTo: f.moveTo}
		if f.pathStyle {
			b.Client = append(b.Client, func(o *awss3.Options) { o.UsePathStyle = true })
		}
		return redrive.FromBucket(ctx, b)
	case strings.HasPrefix(f.from, "arn:"), strings.HasPrefix(f.from, "https://"), strings.HasPrefix(f.from, "http://"):
		cfg, err := loadAWS()
		if err != nil {
			return nil, err
		}
		return redrive.FromQueue(ctx, redrive.QueueConfig{AWS: cfg, Queue: f.from, Visibility: f.visibility})
	}
	return nil, fmt.Errorf("-from %q is not kafka://TOPIC, the ARN or URL of a queue, or s3://BUCKET/PREFIX", f.from)
}

func (f *redriveFlags) openTarget(ctx context.Context, e *redriveEnds, connection *driver.ProducerConfig, logger *slog.Logger) error {
	topic, isTopic := strings.CutPrefix(f.to, "kafka://")
	name, isFunction := strings.CutPrefix(f.to, "function:")
	switch {
	case f.dryRun:
		return nil
	case strings.HasPrefix(f.to, "http://"), strings.HasPrefix(f.to, "https://"):
		e.target = redrive.ToURL(f.to, nil)
		return nil
	case isFunction:
		config, err := readServiceConfig(f.functions)
		if err != nil {
			return err
		}
		return e.openFunction(ctx, config, name, logger)
	case strings.HasPrefix(f.to, "arn:") && strings.Contains(f.to, ":lambda:"):
		return e.openFunction(ctx, &serviceConfig{file: "-to", functions: []functionConfig{{name: f.to, lambda: f.to, line: 1}}}, f.to, logger)
	case f.to != "source" && !isTopic:
		return fmt.Errorf("-to %q is not kafka://TOPIC, source, function:NAME, the ARN of a function or a URL", f.to)
	}
	if isTopic {
		if _, err := destination.ParseName(f.to); err != nil {
			return fmt.Errorf("-to %q %w", f.to, err)
		}
		if f.to == f.from {
			return fmt.Errorf("-to %q is where the failures are", f.to)
		}
	}
	if connection == nil {
		return errors.New("-to names a topic, but nothing names its cluster: give -mapping or -bootstrap-servers")
	}
	open, ok := franz.Driver().(driver.ProducerDriver)
	if !ok {
		return errors.New("this driver cannot write")
	}
	if !isTopic {
		topic = "" // the record's own topic
	}
	producer, err := open.OpenProducer(*connection)
	if err != nil {
		return err
	}
	e.producer, e.target = producer, redrive.ToTopic(producer, topic, f.keepTimestamps)
	return nil
}

// openFunction makes a function of a functions file the target. It starts no processes of other functions.
func (e *redriveEnds) openFunction(ctx context.Context, config *serviceConfig, name string, logger *slog.Logger) (err error) {
	named := func(c functionConfig) bool { return c.name == name }
	if slices.ContainsFunc(config.functions, named) {
		config.functions = slices.DeleteFunc(config.functions, func(c functionConfig) bool { return !named(c) })
	}
	if e.fleet, err = newFleet(ctx, config, logger); err != nil {
		return err
	}
	handle, err := e.fleet.Resolve(name)
	if err != nil {
		e.fleet.stop(ctx)
		return fmt.Errorf("-to function:%s: %w; %s names %s", name, err, config.file, strings.Join(e.fleet.names, ", "))
	}
	e.target = redrive.Handler(handle)
	return nil
}

// connection returns how to reach the cluster, or nil if none is named.
func (f *redriveFlags) connection(ctx context.Context) (*driver.ProducerConfig, error) {
	c := &driver.ProducerConfig{ClientID: "esm-redrive", Logger: slog.New(slog.DiscardHandler)}
	switch {
	case f.servers != "":
		c.BootstrapServers = strings.Split(f.servers, ",")
		return c, nil
	case f.mapping == "":
		return nil, nil //nolint:nilnil // no cluster is an answer
	}
	data, err := os.ReadFile(f.mapping)
	if err != nil {
		return nil, err
	}
	m, err := esm.ParseMapping(data)
	if err != nil {
		return nil, fmt.Errorf("-mapping %s: %w", f.mapping, err)
	}
	c.BootstrapServers = m.SelfManagedEventSource.Endpoints.KafkaBootstrapServers
	if len(c.BootstrapServers) == 0 {
		return nil, fmt.Errorf("-mapping %s: SelfManagedEventSource names no bootstrap servers", f.mapping)
	}
	if len(m.SourceAccessConfigurations) == 0 {
		return c, nil
	}
	// The AWS SDK is only loaded for a secret on AWS.
	store := sync.OnceValues(func() (auth.Secrets, error) { return secretsmanager.New(ctx) })
	secrets := auth.Prefixes{"file:": auth.NewFiles(f.secrets), "env:": auth.NewEnv(),
		"arn:": auth.SecretsFunc(func(ctx context.Context, uri string) ([]byte, string, error) {
			s, err := store()
			if err != nil {
				return nil, "", err
			}
			return s.Secret(ctx, uri)
		})}
	c.Credentials, _, err = auth.Resolve(ctx, secrets, m.SourceAccessConfigurations)
	return c, err
}
