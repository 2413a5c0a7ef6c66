// Programs that end with this one, however it ends.
import { spawn } from 'node:child_process';

// The shell sees its input end, which is what is left of a process that was killed; a signal to all does not keep it from tidying.
const GUARD = 'trap : TERM INT HUP; "$@" & child=$!; cat >/dev/null; kill "$child"; wait "$child" 2>/dev/null; rm -rf "$LEFTOVERS"';

// `leftovers` is a directory of the program's that goes with it.
export function child({ env = {}, leftovers = '' }, ...command) {
  const guard = spawn('sh', ['-c', GUARD, 'guard', ...command], {
    env: { ...process.env, ...env, LEFTOVERS: leftovers }, stdio: ['pipe', 'ignore', 'inherit'],
  });
  guard.stdin.on('error', () => {});
  return guard;
}
