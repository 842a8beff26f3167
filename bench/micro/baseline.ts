import { readFileSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import type { Summary } from 'benny/lib/internal/common-types.js'
import { ratioFigure } from '../figure.js'

/*
 * What the parts did at some time, to compare with later: operations a second by suite and case.
 *
 *   { "format": 1, "createdAt": "…", "node": "v20.1.0", "processor": "…",
 *     "suites": { "merge 100 entries": { "2 sources": 123456 } } }
 */

export interface Baseline {
  readonly format: 1
  readonly createdAt: string
  readonly node: string
  readonly processor: string
  readonly suites: Readonly<Record<string, Readonly<Record<string, number>>>>
}

/** A change of less than this is noise on any machine that somebody works on. */
const NOISE = 0.1

export function baselineOf(summaries: readonly Summary[]): Baseline {
  return {
    format: 1,
    createdAt: new Date().toISOString(),
    node: process.version,
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    suites: Object.fromEntries(
      summaries.map(({ name, results }) => [name, Object.fromEntries(results.map((each) => [each.name, each.ops]))]),
    ),
  }
}

export function saveBaseline(path: string, baseline: Baseline): void {
  writeFileSync(path, `${JSON.stringify(baseline, null, 2)}\n`)
}

export function readBaseline(path: string): Baseline {
  const baseline = JSON.parse(readFileSync(path, 'utf8')) as Baseline
  if (baseline.format === 1) return baseline
  throw new Error(`${path} is no baseline of format 1; make one with --save`)
}

/** One line for every case of now: how often it goes into the same second as before. */
export function comparison(before: Baseline, now: Baseline): string[] {
  const lines: string[] = []
  if (before.processor !== now.processor) lines.push(`The baseline comes from another machine: ${before.processor}`)
  if (before.node !== now.node) lines.push(`The baseline comes from another Node: ${before.node}`)
  for (const [suite, cases] of Object.entries(now.suites)) {
    lines.push(suite)
    for (const [name, ops] of Object.entries(cases))
      lines.push(`  ${name.padEnd(50)}${change(before.suites[suite]?.[name], ops)}`)
  }
  return lines
}

function change(before: number | undefined, now: number): string {
  if (before === undefined || before === 0) return 'new'
  const ratio = now / before
  const word = ratio > 1 + NOISE ? 'faster' : ratio < 1 - NOISE ? 'slower' : 'as before'
  return `${ratioFigure(ratio).padStart(6)} x  ${word}`
}
