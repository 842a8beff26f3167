// A process that takes and releases locks on command, so that tests can race with it and kill it. One command a line on stdin:
// `lock <directory>` and `release`; one answer a line on stdout.
import { createInterface } from 'node:readline'
import { diskFileSystem } from '../../dist/src/fs/disk-file-system.js'

let held

async function answer(command, directory) {
  if (command === 'lock') {
    try {
      held = await diskFileSystem.lock(directory)
      return { held: true }
    } catch (error) {
      return { held: false, code: error.code, pid: error.pid, message: error.message }
    }
  }
  await held.release()
  return { held: false }
}

for await (const line of createInterface({ input: process.stdin })) {
  const [command, directory] = line.split(' ')
  process.stdout.write(`${JSON.stringify(await answer(command, directory))}\n`)
}
