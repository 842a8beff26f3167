// A second process: refused while this one writes, allowed to read beside it, and let in when this one is killed.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { open } from 'siltstone'

const [role] = process.argv.slice(2)
const self = fileURLToPath(import.meta.url)

function start() {
  // What stands between the program and the script: `run` and rights, where the runtime wants them.
  const before = JSON.parse(process.env.RUNTIME_ARGUMENTS ?? '[]')
  return spawn(process.execPath, [...before, self, 'holder'], { stdio: ['ignore', 'pipe', 'inherit'] })
}

if (role === 'holder') {
  const db = await open('./processes')
  await db.put('a', '1')
  process.stdout.write('open\n')
  setInterval(() => {}, 1000)
} else {
  const holder = start()
  await once(holder.stdout, 'data')
  await assert.rejects(open('./processes'), (error) => {
    assert.equal(error.code, 'SILT_LOCKED')
    assert.equal(error.pid, holder.pid)
    return true
  })
  const reader = await open('./processes', { readOnly: true })
  assert.equal(await reader.get('a'), '1')
  await reader.close()
  holder.kill('SIGKILL')
  await once(holder, 'exit')
  const db = await open('./processes')
  assert.equal(await db.get('a'), '1')
  await db.close()
}
