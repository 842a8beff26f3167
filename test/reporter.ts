import { writeFileSync } from 'node:fs'
import type { Reporter, TestModule, Vitest } from 'vitest/node'

/** How a run ended, in test cases. */
export interface Tally {
  readonly passed: number
  readonly failed: number
}

/**
 * Counts test cases. What fails outside of one (a file that does not load, an error nobody caught) counts as a failure too, and
 * so does a test that was skipped, unless `-t` asked for others only.
 *
 * `tools/test.mjs` names the file that takes the tally in TALLY_FILE, and adds its own checks before it prints the last line.
 */
export default class TallyReporter implements Reporter {
  #isFiltered = false

  onInit(vitest: Vitest): void {
    this.#isFiltered = vitest.config.testNamePattern !== undefined
  }

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const file = process.env['TALLY_FILE']
    if (file !== undefined) writeFileSync(file, JSON.stringify(tallyOf(modules, unhandledErrors, this.#isFiltered)))
  }
}

function tallyOf(modules: readonly TestModule[], unhandledErrors: readonly unknown[], isFiltered: boolean): Tally {
  let passed = 0
  let failed = unhandledErrors.length
  for (const module of modules) {
    let failedHere = module.errors().length
    for (const suite of module.children.allSuites()) failedHere += suite.errors().length
    for (const test of module.children.allTests()) {
      const { state } = test.result()
      if (state === 'passed') passed++
      else if (state !== 'skipped' || !isFiltered) failedHere++
    }
    if (failedHere === 0 && !module.ok()) failedHere = 1
    failed += failedHere
  }
  return { passed, failed }
}
