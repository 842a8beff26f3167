import { createRequire } from 'node:module'
import { SiltstoneLevel } from '../../../src/level.js'

const require = createRequire(import.meta.url)

/** How a run of the suite ended. */
export interface SuiteReport {
  readonly passed: number
  /** Test and assertion, for each that did not hold. */
  readonly failed: readonly string[]
}

interface TapeRow {
  readonly type: 'test' | 'assert' | 'end'
  readonly id?: number
  readonly test?: number
  readonly name?: string
  readonly ok?: boolean
  readonly actual?: unknown
}

/** Options that a test of the suite asks for. */
type SuiteOptions = ConstructorParameters<typeof SiltstoneLevel>[1]

/** Runs the conformance suite that comes with abstract-level against databases at the locations that are handed out. */
export function runSuite(nextLocation: () => string, options: SuiteOptions = {}): Promise<SuiteReport> {
  const tape = require('tape')
  const suite = require('abstract-level/test')
  const test = tape.createHarness()
  const names = new Map<number, string>()
  const failed: string[] = []
  let passed = 0
  return new Promise((resolve, reject) => {
    test
      .createStream({ objectMode: true })
      .on('data', (row: TapeRow) => {
        if (row.type === 'test') names.set(row.id!, row.name!)
        if (row.type !== 'assert') return
        if (row.ok) passed++
        else failed.push(`${names.get(row.test!)}: ${row.name} (${String(row.actual)})`)
      })
      .on('error', reject)
      .on('end', () => resolve({ passed, failed }))
    suite({
      test,
      factory: (asked: SuiteOptions) => new SiltstoneLevel(nextLocation(), { ...options, ...asked }),
    })
  })
}
