// How bad the network is: loss, doubling, delay, order and buffers of every link alike.
import type { RandomSource } from "./random.ts";

export type Weather = {
  /** Probability that a message is lost. */
  readonly loss: number;
  readonly duplicate: number;
  /** Delay: at least this, plus an exponential share with this mean, plus with probability `spike` up to `spikeMs`. */
  readonly minDelayMs: number;
  readonly meanDelayMs: number;
  readonly spike: number;
  readonly spikeMs: number;
  /** True: messages of one direction and channel arrive in order, as on a connection. */
  readonly ordered: boolean;
  /** Bound of what is on its way in one direction on the bulk channel; one message always fits. */
  readonly bufferBytes: number;
};

export const calm: Weather = {
  loss: 0,
  duplicate: 0,
  minDelayMs: 0.2,
  meanDelayMs: 0.8,
  spike: 0,
  spikeMs: 0,
  ordered: true,
  bufferBytes: 8 << 20,
};

/** A run's everyday weather: mostly fair, sometimes awful. */
export function drawWeather(random: RandomSource): Weather {
  const rough = random.chance(0.6);
  return {
    loss: rough ? random.next() ** 3 * 0.4 : 0,
    duplicate: rough ? random.next() ** 2 * 0.2 : 0,
    minDelayMs: random.between(0.05, 2),
    meanDelayMs: random.chance(0.2) ? random.between(2, 30) : random.between(0.1, 2),
    spike: rough ? random.next() ** 3 * 0.05 : 0,
    spikeMs: random.between(10, 1500),
    ordered: random.chance(0.4),
    bufferBytes: random.chance(0.2) ? random.integer(2_000, 50_000) : 8 << 20,
  };
}

/** The weather while these storms last: each thing as bad as the worst of them makes it. */
export function stormy(
  weather: Weather,
  storms: readonly { readonly loss: number; readonly duplicate: number; readonly delayMs: number }[],
): Weather {
  if (storms.length === 0) return weather;
  return {
    ...weather,
    loss: Math.max(...storms.map(({ loss }) => loss)),
    duplicate: Math.max(...storms.map(({ duplicate }) => duplicate)),
    meanDelayMs: Math.max(...storms.map(({ delayMs }) => delayMs)),
    ordered: false,
  };
}
