import { describe, expect, it } from 'vitest'
import { temporaryDirectories } from '../store/temporary.js'
import { BIN, kv } from './kv-cli.js'
import { Terminal } from './terminal.js'

const directory = temporaryDirectories()

function open(db: string, history: string, ...args: string[]): Terminal {
  return new Terminal([process.execPath, BIN, 'shell', '--db', db, ...args], { KV_CLI_HISTORY: history })
}

describe('the shell at a terminal', () => {
  it('runs commands, completes them, takes JSON over lines, explains errors and remembers', async () => {
    const db = directory()
    const history = `${directory()}.history`
    const shell = open(db, history)
    await shell.until(/Ctrl-D leaves[\s\S]*kv> /)
    shell.type('put user:1 ada\r')
    await shell.until(/kv> /)
    // A Tab in the middle of what arrives at once is pasted text, so it has to come alone.
    shell.type('get us')
    await shell.until(/get us/)
    shell.type('\t')
    await shell.until(/er:1/)
    shell.type('\r')
    await shell.until(/ada[\s\S]*kv> /)
    shell.type('cou')
    await shell.until(/cou/)
    shell.type('\t')
    await shell.until(/nt/)
    shell.type('\r')
    await shell.until(/1[\s\S]*kv> /)
    shell.type('put doc {"a":\r')
    await shell.until(/\.\.> /)
    shell.type('[1, 2]}\r')
    await shell.until(/kv> /)
    shell.type('get doc\r')
    await shell.until(/\{"a":\s+\[1, 2\]\}/)
    await shell.until(/kv> /)
    shell.type('gett doc\r')
    await shell.until(/unknown command 'gett'; did you mean 'get'\?/)
    await shell.until(/kv> /)
    shell.type('destroy --yes\r')
    await shell.until(/does not work inside of the shell/)
    await shell.until(/kv> /)
    shell.type('\x04')
    expect(await shell.end()).toBe(0)
    expect((await kv(['get', 'user:1', '--db', db])).out).toBe('ada')

    const again = open(db, history, '--read-only')
    await again.until(/\(read only\)[\s\S]*kv> /)
    again.type('\x1b[A\x1b[A\x1b[A\r')
    await again.until(/get doc[\s\S]*\[1, 2\][\s\S]*kv> /)
    again.type('put a 1\r')
    await again.until(/--read-only was asked for/)
    again.type('exit\r')
    expect(await again.end()).toBe(0)
  })
})

describe('the shell in a pipe', () => {
  it('is a script: no prompt, and an exit code', async () => {
    const db = directory()
    const input = `put a 'two words'\nget a\nput b {"x":\n1}\nget b\n`
    expect(await kv(['shell', '--db', db], { input })).toMatchObject({
      code: 0,
      out: 'two words\n{"x":\n1}\n',
      err: '',
    })
    const failed = await kv(['shell', '--db', db], { input: 'get nothing\nget a\n' })
    expect(failed).toMatchObject({ code: 1, out: 'two words\n' })
    expect(failed.err).toContain("There is no key 'nothing'")
  })
})

describe('progress', () => {
  it('is shown to a terminal, and goes away', async () => {
    const db = directory()
    const line = `seq 300000 | awk '{print $1"\\t"$1}' | ${process.execPath} ${BIN} import - --format tsv --db ${db}`
    const terminal = new Terminal(['sh', '-c', line], {})
    await terminal.until(/entries {2}[\d,]+\/s/)
    await terminal.until(/300,000 entries in/)
    expect(await terminal.end()).toBe(0)
  })
})
