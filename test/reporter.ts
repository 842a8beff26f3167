import { writeFileSync } from 'node:fs'
import type { Reporter, TestModule } from 'vitest/node'

/** How a run ended, in test cases. */
export interface Tally {
  readonly passed: number
  readonly failed: number
}

/**
 * Counts test cases. What fails outside of one (a file that does not load, an error nobody caught) counts as a failure too, and
 * so does a test that did not run: nothing may be skipped.
 *
 * `tools/test.mjs` names the file that takes the tally in TALLY_FILE, and adds its own checks before it prints the last line.
 */
export default class TallyReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const file = process.env['TALLY_FILE']
    if (file !== undefined) writeFileSync(file, JSON.stringify(tallyOf(modules, unhandledErrors)))
  }
}

export function tallyOf(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): Tally {
  let passed = 0
  let failed = unhandledErrors.length
  for (const module of modules) {
    let failedHere = module.errors().length
    for (const suite of module.children.allSuites()) failedHere += suite.errors().length
    for (const test of module.children.allTests()) {
      if (test.result().state === 'passed') passed++
      else failedHere++
    }
    if (failedHere === 0 && !module.ok()) failedHere = 1
    failed += failedHere
  }
  return { passed, failed }
}
