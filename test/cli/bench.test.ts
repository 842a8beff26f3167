import { mkdirSync, readdirSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { temporaryDirectories } from '../store/temporary.js'
import { ended, jsonLines, kv, start } from './kv-cli.js'

const directory = temporaryDirectories()

describe('bench', () => {
  it('runs every workload on whoever is installed, and leaves nothing behind', async () => {
    const dir = directory()
    mkdirSync(dir)
    const { code, out, err } = await kv(['bench', '--keys', '500', '--rounds', '1', '--json', '--dir', dir])
    expect({ code, err }).toEqual({ code: 0, err: '' })
    const rows = jsonLines(out) as { workload: string; store: string; operationsPerSecond: number }[]
    expect([...new Set(rows.map(({ store }) => store))]).toEqual(expect.arrayContaining(['siltstone', 'classic-level']))
    expect(new Set(rows.map(({ workload }) => workload)).size).toBe(10)
    expect(rows.every(({ operationsPerSecond }) => operationsPerSecond > 0)).toBe(true)
    expect(readdirSync(dir)).toEqual([])
  })

  it('runs what was asked for', async () => {
    const dir = directory()
    mkdirSync(dir)
    const common = ['--keys', '500', '--rounds', '1', '--stores', 'siltstone', '--dir', dir]
    const { out } = await kv(['bench', '--only', 'SCAN', ...common])
    expect(out).toMatch(
      /^operations a second +siltstone\nscan everything +[\d,]+\nscan everything, backwards +[\d,]+\n$/,
    )
    expect(await kv(['bench', '--only', 'dance', ...common])).toMatchObject({
      code: 2,
      err: expect.stringContaining("No workload matches 'dance'"),
    })
    expect(await kv(['bench', '--only', '(', ...common])).toMatchObject({ code: 2 })
    expect(await kv(['bench', '--stores', 'granite'])).toMatchObject({
      code: 2,
      err: expect.stringContaining("There is no store 'granite'"),
    })
    expect(await kv(['bench', '--dir', `${dir}/nowhere`])).toMatchObject({ code: 1 })
  })

  it('leaves nothing behind when it is interrupted either', async () => {
    const dir = directory()
    mkdirSync(dir)
    const running = start(['bench', '--keys', '20000', '--rounds', '1000', '--dir', dir])
    const end = ended(running)
    while (readdirSync(dir).length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
    running.kill('SIGINT')
    expect(await end).toMatchObject({ code: 130, err: '' })
    expect(readdirSync(dir)).toEqual([])
  })
})
