import { spawnSync } from 'node:child_process'

/**
 * Worker threads load compiled code, so tests that start some need `dist` to be as new as the sources. A type error stops
 * neither the compiler from writing nor a test from running; `npm test` counts it as a failure of its own.
 */
export default function build(): void {
  const { status } = spawnSync(process.execPath, ['tools/setup.mjs'], { stdio: 'inherit' })
  if (status !== 0) process.stderr.write('The sources do not build cleanly: worker threads run what could be built\n')
}
