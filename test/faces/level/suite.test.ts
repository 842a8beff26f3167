import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runSuite } from './suite.js'

/** What classic-level 3 runs of the suite of abstract-level 3.1, with every optional feature declared. */
const EVERY_ASSERTION = 5168
/** Those that write, close and expect another database at the same location to find it; memory does not say it could. */
const NEEDING_PERMANENCE = 6

describe('the suite of abstract-level', () => {
  let directory: string
  let made = 0

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'siltstone-level-'))
  })

  afterAll(() => {
    rmSync(directory, { recursive: true })
  })

  it('passes as a whole on disk', async () => {
    const { passed, failed } = await runSuite(() => join(directory, `${++made}`))
    expect(failed).toEqual([])
    expect(passed).toBeGreaterThanOrEqual(EVERY_ASSERTION)
  }, 300_000)

  it('passes as a whole in memory', async () => {
    const { passed, failed } = await runSuite(() => ':memory:')
    expect(failed).toEqual([])
    expect(passed).toBeGreaterThanOrEqual(EVERY_ASSERTION - NEEDING_PERMANENCE)
  }, 300_000)
})
