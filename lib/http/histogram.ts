// Histograms that cost one array increment to observe: prom-client's own hashes its labels at every observation, here a
// caller keeps its series. The registry reads them like any other metric.
import type { MetricObjectWithValues, MetricValueWithName, Registry } from "prom-client";

type Scraped = Omit<MetricObjectWithValues<MetricValueWithName<string>>, "collect">;

/** Upper bounds in seconds. */
export const LATENCY_BUCKETS = [
  0.0005,
  0.001,
  0.0025,
  0.005,
  0.01,
  0.025,
  0.05,
  0.1,
  0.25,
  0.5,
  1,
  2.5,
  5,
  10,
  60,
] as const;

/** The observations under one set of labels. */
export class Series {
  readonly labels: Readonly<Record<string, string>>;
  /** Observations per bucket, not cumulated; the last is for those above all bounds. */
  readonly counts = new Float64Array(LATENCY_BUCKETS.length + 1);
  sum = 0;

  constructor(labels: Readonly<Record<string, string>>) {
    this.labels = labels;
  }

  observe(seconds: number): void {
    let bucket = 0;
    while (bucket < LATENCY_BUCKETS.length && seconds > LATENCY_BUCKETS[bucket]!) bucket++;
    this.counts[bucket]! += 1;
    this.sum += seconds;
  }
}

export class Histogram {
  readonly name: string;
  readonly #help: string;
  readonly #series: Series[] = [];

  constructor(name: string, help: string, registry: Registry) {
    this.name = name;
    this.#help = help;
    // The registry's type asks for one of its own classes; it only ever uses `name`, `get` and `reset`.
    registry.registerMetric(this as unknown as Parameters<Registry["registerMetric"]>[0]);
  }

  /** A new set of labels; the caller keeps it and observes into it. */
  series(labels: Readonly<Record<string, string>>): Series {
    const made = new Series(labels);
    this.#series.push(made);
    return made;
  }

  /** What the registry asks for at a scrape. */
  get(): Scraped {
    const values = this.#series.flatMap((series) => this.#values(series));
    return {
      name: this.name,
      help: this.#help,
      type: "histogram" as unknown as Scraped["type"],
      aggregator: "sum",
      values,
    };
  }

  reset(): void {
    for (const series of this.#series) {
      series.counts.fill(0);
      series.sum = 0;
    }
  }

  #values({ labels, counts, sum }: Series): MetricValueWithName<string>[] {
    let below = 0;
    const values: MetricValueWithName<string>[] = [...counts].map((count, bucket) => {
      below += count;
      const le = LATENCY_BUCKETS[bucket] ?? "+Inf";
      return { metricName: `${this.name}_bucket`, labels: { le, ...labels }, value: below };
    });
    values.push({ metricName: `${this.name}_sum`, labels, value: sum });
    values.push({ metricName: `${this.name}_count`, labels, value: below });
    return values;
  }
}
