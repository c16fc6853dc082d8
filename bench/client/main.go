// A load generator that drives Coracle (HTTP/1.1) and etcd (gRPC) alike: N connections, each of which sends its next
// request when the last was answered (closed loop) or, with -rate, when it is due and a connection is free (open loop:
// latency counts from when it was due). It prints one JSON line: operations, seconds, latencies in microseconds, refusals,
// and the CPU seconds that it used itself.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

type target interface {
	put(ctx context.Context, key string, value []byte) error
	get(ctx context.Context, key string) error
}

// One http.Client with a connection of its own.
type coracle struct {
	client *http.Client
	base   string
}

func newCoracle(url string) *coracle {
	transport := &http.Transport{
		MaxIdleConns: 1, MaxIdleConnsPerHost: 1, MaxConnsPerHost: 1, DisableCompression: true,
		DialContext: (&net.Dialer{Timeout: 2 * time.Second}).DialContext,
	}
	return &coracle{client: &http.Client{Transport: transport, Timeout: 10 * time.Second}, base: url + "/v1/kv/"}
}

func (c *coracle) do(request *http.Request) error {
	response, err := c.client.Do(request)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, response.Body)
	response.Body.Close()
	if err == nil && response.StatusCode >= 300 {
		return fmt.Errorf("status %d", response.StatusCode)
	}
	return err
}

func (c *coracle) put(ctx context.Context, key string, value []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, c.base+key, bytes.NewReader(value))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/octet-stream")
	return c.do(request)
}

func (c *coracle) get(ctx context.Context, key string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+key, nil)
	if err != nil {
		return err
	}
	return c.do(request)
}

// One gRPC connection.
type etcd struct{ client *clientv3.Client }

func newEtcd(url string) (*etcd, error) {
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{url}, DialTimeout: 2 * time.Second})
	if err != nil {
		return nil, err
	}
	return &etcd{client}, nil
}

func (e *etcd) put(ctx context.Context, key string, value []byte) error {
	_, err := e.client.Put(ctx, key, string(value))
	return err
}

func (e *etcd) get(ctx context.Context, key string) error {
	_, err := e.client.Get(ctx, key)
	return err
}

type result struct {
	Operations int     `json:"operations"`
	Failures   int64   `json:"failures"`
	Seconds    float64 `json:"seconds"`
	PerSecond  float64 `json:"perSecond"`
	P50        int64   `json:"p50us"`
	P99        int64   `json:"p99us"`
	Max        int64   `json:"maxus"`
	ClientCPU  float64 `json:"clientCpuSeconds"`
	FirstError string  `json:"firstError,omitempty"`
}

func cpuSeconds() float64 {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Seconds()
}

func main() {
	kind := flag.String("target", "coracle", "coracle or etcd")
	urls := flag.String("urls", "http://127.0.0.1:8080", "comma-separated; connections are dealt out in turn")
	operation := flag.String("op", "put", "put or get")
	connections := flag.Int("connections", 64, "")
	duration := flag.Duration("duration", 5*time.Second, "")
	size := flag.Int("size", 256, "bytes of a value")
	keys := flag.Int("keys", 10000, "number of keys, used in turn")
	rate := flag.Float64("rate", 0, "requests a second, whatever the answers take; 0 = as fast as they are answered")
	flag.Parse()

	endpoints := strings.Split(*urls, ",")
	targets := make([]target, *connections)
	for i := range targets {
		url := endpoints[i%len(endpoints)]
		if *kind == "coracle" {
			targets[i] = newCoracle(url)
			continue
		}
		connected, err := newEtcd(url)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		targets[i] = connected
	}
	value := bytes.Repeat([]byte("x"), *size)
	run := func(length time.Duration) result { return load(targets, *operation, value, *keys, *rate, length) }
	run(time.Second) // every connection is up and both sides are warm before anything is counted
	cpu := cpuSeconds()
	measured := run(*duration)
	measured.ClientCPU = cpuSeconds() - cpu
	if err := json.NewEncoder(os.Stdout).Encode(measured); err != nil {
		os.Exit(1)
	}
}

func load(targets []target, operation string, value []byte, keys int, rate float64, length time.Duration) result {
	var next, failures atomic.Int64
	var firstError atomic.Value
	latencies := make([][]int64, len(targets))
	var group sync.WaitGroup
	start := time.Now()
	for i, one := range targets {
		group.Add(1)
		go func() {
			defer group.Done()
			for rate > 0 || time.Since(start) < length { // what was due is sent, however late
				number := next.Add(1)
				key := fmt.Sprintf("bench/%06d", number%int64(keys))
				began := time.Now()
				if rate > 0 {
					due := time.Duration(float64(number) / rate * float64(time.Second))
					if due >= length {
						return
					}
					began = start.Add(due)
					time.Sleep(time.Until(began))
				}
				ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
				var err error
				if operation == "put" {
					err = one.put(ctx, key, value)
				} else {
					err = one.get(ctx, key)
				}
				cancel()
				if err != nil {
					failures.Add(1)
					firstError.CompareAndSwap(nil, err.Error())
					if rate == 0 {
						time.Sleep(time.Millisecond)
					}
					continue
				}
				latencies[i] = append(latencies[i], time.Since(began).Microseconds())
			}
		}()
	}
	group.Wait()
	seconds := time.Since(start).Seconds()
	var all []int64
	for _, some := range latencies {
		all = append(all, some...)
	}
	sort.Slice(all, func(a, b int) bool { return all[a] < all[b] })
	measured := result{Operations: len(all), Failures: failures.Load(), Seconds: seconds, PerSecond: float64(len(all)) / seconds}
	if text, ok := firstError.Load().(string); ok {
		measured.FirstError = text
	}
	if len(all) > 0 {
		measured.P50, measured.P99, measured.Max = all[len(all)/2], all[len(all)*99/100], all[len(all)-1]
	}
	return measured
}
