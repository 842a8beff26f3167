import { spawn } from 'node:child_process'
import { mkdirSync, readdirSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { temporaryDirectories } from '../store/temporary.js'
import { ended, says } from './kv-cli.js'

const directory = temporaryDirectories()

function tour(): { child: ReturnType<typeof spawn>; folder: string } {
  const folder = directory()
  mkdirSync(folder)
  const env = { ...process.env, TMPDIR: folder }
  return { child: spawn(process.execPath, ['dist/tools/tour.js', '20000'], { env, stdio: 'pipe' }), folder }
}

describe('the tour', () => {
  it('tells all of its story without a terminal, and leaves nothing behind', async () => {
    const { child, folder } = tour()
    const { code, out, err } = await ended(child)
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(out).not.toContain('\r')
    const chapters = [...out.matchAll(/^(\d)\. /gm)].map(([, number]) => number)
    expect(chapters).toEqual(['1', '2', '3', '4', '5', '6', '7', '8'])
    expect(out).toMatch(/level \d .*entries[\s\S]*compacted:[\s\S]*level 6 .*15,000 entries\n/)
    expect(out).toMatch(/are there, without a gap[\s\S]*ada had 1,000 and has 500, grace has 500[\s\S]*0 are left/)
    expect(out).toMatch(/keys moved[\s\S]*siltstone +classic-level[\s\S]*npx kv-cli --help/)
    expect(readdirSync(folder)).toEqual([])
  })

  it('leaves nothing behind when it is interrupted either', async () => {
    const { child, folder } = tour()
    const end = ended(child)
    await says(child, /2\. /)
    child.kill('SIGINT')
    expect(await end).toMatchObject({ code: 130, err: '' })
    expect(readdirSync(folder)).toEqual([])
  })
})
