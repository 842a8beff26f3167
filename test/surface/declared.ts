import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const DIST = 'dist/src'

/** 'Class.method' of every method in the declarations of the package: what its types let a program call. */
export function declaredMethods(): Set<string> {
  const declared = new Set<string>()
  const files = readdirSync(DIST, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.d.ts'))
  for (const file of files) {
    let current = ''
    let isInternal = false
    for (const line of readFileSync(join(DIST, file), 'utf8').split('\n')) {
      const opened = /^export declare (?:abstract )?class (\w+)/.exec(line)
      if (opened !== null) current = opened[1]!
      else if (line.startsWith('}')) current = ''
      if (/^ {4}(?:\/\*\*| \*)/.test(line)) {
        isInternal ||= line.includes('@internal')
        continue
      }
      const method = /^ {4}(\w+)(?:<.*>)?\(/.exec(line)
      if (current !== '' && method !== null && !isInternal) declared.add(`${current}.${method[1]}`)
      isInternal = false
    }
  }
  return declared
}
