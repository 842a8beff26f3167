import { execFile } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { scratchDirectory } from '../scratch.js'

/*
 * Packages that others wrote for Level, on SiltstoneLevel as `siltstone/level` gives it. Each guest is a small program that checks
 * what it reads; where it has to find what it wrote, writer and reader are processes of their own, and the writer never closes.
 */

const run = promisify(execFile)
const here = dirname(fileURLToPath(import.meta.url))
/** The tests that aedes-persistence 11 has for a storage. */
const SUITE_OF_AEDES = 50

async function guest(...args: string[]): Promise<string> {
  const [program = '', ...rest] = args
  const { stdout } = await run(process.execPath, ['--test-reporter=tap', join(here, program), ...rest])
  return stdout.trim()
}

describe('packages made for Level', () => {
  it('quadstore finds its quads, in every order, after its process has gone', async () => {
    const directory = scratchDirectory()
    const scopeId = await guest('quads.mjs', 'write', directory)
    await guest('quads.mjs', 'read', directory, scopeId)
  })

  it('aedes-persistence-level passes the suite for storages of Aedes', async () => {
    const report = await guest('mqtt-suite.mjs', scratchDirectory())
    expect(report).toContain('\n# fail 0\n')
    expect(Number(/^# pass (\d+)$/m.exec(report)?.[1])).toBeGreaterThanOrEqual(SUITE_OF_AEDES)
  })

  it('aedes-persistence-level hands over to the next broker', async () => {
    const directory = scratchDirectory()
    await guest('mqtt.mjs', 'write', directory)
    await guest('mqtt.mjs', 'read', directory)
  })

  it('level-read-stream copies a store over a socket as it was', async () => {
    await guest('streams.mjs', scratchDirectory())
  })
})
