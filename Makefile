.PHONY: test lint kafka bench ci

test:
	go test -race ./...

lint:
	.ci/run gofmt vet lint

kafka:
	.ci/run kafka

bench:
	go test -run '^$$' -bench . -benchmem . ./event ./filter

ci:
	.ci/run
