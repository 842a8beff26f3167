import type { Database, Keyspace, OpenOptions } from '../../../src/index.js'

export interface Reading {
  readonly sensor: string
  readonly time: number
  readonly value: number
}

export interface Summary {
  readonly time: number
  readonly count: number
  readonly mean: number
  readonly min: number
  readonly max: number
}

export interface Series {
  readonly db: Database
  readonly raw: Keyspace<[string, number], number>
  readonly rawFrom: number
  record(readings: readonly Reading[]): Promise<number>
  latest(sensor: string, count?: number): Promise<Reading[]>
  at(sensor: string, time: number): Promise<Reading | undefined>
  between(sensor: string, from: number, to: number): Promise<Reading[]>
  summary(sensor: string, from: number, to: number, stepMs?: number): Promise<Summary[]>
  sensors(): Promise<string[]>
  tidy(now: number): Promise<number>
  close(): Promise<void>
}

export const HOUR_MS: number
export const DAY_MS: number
export function openSeries(directory: string, options?: OpenOptions): Promise<Series>
