import { type ChildProcess, type ChildProcessByStdio, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import type { Socket } from "node:net";
import type { Readable } from "node:stream";

/** Whether the system has sessions and process groups. */
const unix = process.platform !== "win32";

/** Marks the processes of a tree in their environment. The watchdog finds them even if this process ends before it sends the leader's id. */
const markVariable = "K8SAUTH_EXEC_RUN";

/**
 * Reads the session's id, then waits. A second line releases the tree: the script exits. If the input ends without it, on request or because this
 * process is gone, the script kills the tree: with SIGTERM, after 2 s with SIGKILL. The tree is the session, every process with the mark ($0),
 * and their descendants. Without /proc it is the process group. Between fork and exec, the forked process keeps the input open: the script waits
 * for the exec.
 */
const watchdog = `
trap '' TERM
if read -r sid; then
  read -r over && exit 0
else
  sid=none
fi
known=" "
look() {
  living=""
  if [ ! -r /proc/self/stat ]; then
    kill -0 "-$sid" && living="-$sid"
    return
  fi
  marked=" $(echo $(grep -ls "${markVariable}=$0" /proc/[0-9]*/environ)) "
  for file in /proc/[0-9]*/stat; do
    read -r line <"$file" || continue
    pid=\${file%/stat}
    pid=\${pid#/proc/}
    set -- \${line##*) }
    case $known in
      *" $pid/\${20} "*) ;;
      *" $2/"*) known="$known$pid/\${20} " ;;
      *)
        case "$4 $marked" in
          "$sid "* | *" /proc/$pid/environ "*) known="$known$pid/\${20} " ;;
          *) continue ;;
        esac
        ;;
    esac
    [ "$1" = Z ] || living="$living $pid"
  done
}
end() {
  for pid in $living; do kill "-$1" "$pid"; done
}
look
end TERM
for pause in 0.05 0.1 0.15 0.2 0.3 0.5 0.7; do
  look
  [ -n "$living" ] || exit 0
  sleep $pause || sleep 1
done
for turn in 1 2 3 4 5 6 7 8 9 10; do
  look
  [ -n "$living" ] || exit 0
  end KILL
  sleep 0.05 || sleep 1
done
`;

/**
 * A process and its descendants. A watchdog, a script of /bin/sh, kills the tree on request and when this process ends, even by SIGKILL. It
 * starts before the tree, so the tree is never without a watchdog.
 */
export class ProcessTree {
  #watchdog: ChildProcess | undefined;
  readonly #mark = randomUUID();
  #leader: number | undefined;
  #over = false;

  constructor() {
    if (!unix) return;
    const env = { PATH: process.env.PATH || "/usr/bin:/bin" };
    const child = spawn("/bin/sh", ["-c", watchdog, this.#mark], {
      cwd: "/",
      env,
      detached: true,
      stdio: ["pipe", "ignore", "ignore"],
    });
    this.#watchdog = child;
    child.once("error", () => {
      this.#watchdog = undefined;
    });
    child.stdin?.on("error", () => {
      // The watchdog has ended.
    });
    // The watchdog must not keep this process running.
    child.unref();
    (child.stdin as Socket | null)?.unref();
  }

  /** Spawns the root process, once, as the leader of a session. Its standard input is closed, the other two are pipes. */
  spawn(
    command: string,
    args: readonly string[],
    env: NodeJS.ProcessEnv,
  ): ChildProcessByStdio<null, Readable, Readable> {
    try {
      const child = spawn(command, args, {
        env: { ...env, [markVariable]: this.#mark },
        detached: unix,
        windowsHide: true,
        stdio: ["ignore", "pipe", "pipe"],
      });
      this.#leader = child.pid;
      if (child.pid !== undefined) this.#watchdog?.stdin?.write(`${child.pid}\n`);
      return child;
    } catch (error) {
      this.end();
      throw error;
    }
  }

  /** Ends the watchdog and leaves the descendants running. For a leader that has exited. */
  release(): void {
    if (this.#over) return;
    this.#over = true;
    this.#watchdog?.stdin?.end("over\n");
  }

  /** Kills the tree with SIGTERM, and 2 s later with SIGKILL. Returns at once. */
  end(): void {
    if (this.#over) return;
    this.#over = true;
    if (this.#watchdog !== undefined) this.#watchdog.stdin?.end();
    else if (this.#leader !== undefined) kill(this.#leader);
  }

  /** The number of processes of the session, on Linux; 0 on other systems. */
  size(): number {
    if (this.#leader === undefined || process.platform !== "linux") return 0;
    const session = String(this.#leader);
    return readdirSync("/proc").filter((name) => /^\d+$/.test(name) && sessionOf(name) === session).length;
  }
}

/** Field 6 of /proc/PID/stat; the name in field 2 may hold spaces and parentheses. */
function sessionOf(pid: string): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[3];
  } catch {
    return undefined;
  }
}

function kill(leader: number): void {
  if (!unix) {
    spawn("taskkill", ["/pid", String(leader), "/t", "/f"], { stdio: "ignore", windowsHide: true })
      .on("error", () => {})
      .unref();
    return;
  }
  try {
    process.kill(-leader, "SIGKILL");
  } catch {
    // The group has ended.
  }
}
