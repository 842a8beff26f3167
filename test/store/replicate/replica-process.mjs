// A replica that follows a source, which another process writes, until it is killed. Says a line on stdout for every step that it takes.
// Arguments: directory of the source, its own directory.
import { open, replicate } from '../../../dist/src/index.js'

const [sourceDirectory, directory] = process.argv.slice(2)
const source = await open(sourceDirectory, { readOnly: true })
source.follow({ intervalMs: 20 }).catch((error) => {
  console.error(error)
  process.exit(1)
})
const replica = await open(directory, { writeBufferBytes: 64 * 1024 })
await replicate(source, replica, { onProgress: ({ position }) => process.stdout.write(`${position}\n`) })
