#include "supervisor.h"

#include "agent_options.h"
#include "bug.h"
#include "clock.h"
#include "err.h"
#include "identity.h"
#include "lifeline.h"
#include "log.h"
#include "notify.h"
#include "parting.h"
#include "supervision.h"
#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOKS 4u               /* at the worker within silence_max_ms */
#define BEGIN_MAX_MS 10000u    /* without a beat, before the loop begins */
#define FAREWELL_MAX_MS 30000u /* without a beat, once the loop has ended */
#define PARTING_MAX_MS 10000u
#define FOREVER UINT64_MAX

struct supervisor;
typedef int child_fn(struct supervisor *s, int line);

struct supervisor {
	const char *file;
	const struct mu_agent_conf *conf;
	struct mu_supervision plan;
	int lock, signals;
	int line;  /* from the worker; -1: none */
	pid_t pid; /* of the worker, or of who tells the others; 0: neither */
	int pidfd;
	uint64_t due_ms;     /* when a pause, or the parting, is over */
	uint64_t silent_ms;  /* without a word, as far as we were awake */
	uint64_t looked_ms;  /* when we last looked at that */
	uint64_t parting_ms; /* since when the others are being told */
	uint64_t pinged_ms, ping_ms; /* the service manager; 0: it needs none */
	bool farewell;               /* the worker's loop has ended */
	bool again;                  /* the worker is not the first one */
	bool told_ready;
};

static const struct {
	int signum;
	enum mu_supervision_event event;
} signals[] = {
	{ SIGTERM, MU_SV_END },
	{ SIGINT, MU_SV_END },
	{ SIGUSR2, MU_SV_LEAVE },
	{ SIGHUP, MU_SV_RELOAD },
};

static void act(struct supervisor *s, enum mu_supervision_action action,
                int signum);

/* ---- the service manager ---- */

static void say_status(const struct supervisor *s, const char *what)
{
	char text[200];

	snprintf(text, sizeof text, "STATUS=%s (worker %d)", what, (int)s->pid);
	mu_notify(text);
}

static void say_ready(struct supervisor *s)
{
	char text[64];

	say_status(s, "at work");
	if (s->told_ready)
		return;
	s->told_ready = true;
	snprintf(text, sizeof text, "READY=1\nMAINPID=%d", (int)getpid());
	mu_notify(text);
}

/* It watches over us; the worker is our own business. */
static void ping(struct supervisor *s, uint64_t now_ms)
{
	if (!s->ping_ms || now_ms - s->pinged_ms < s->ping_ms)
		return;
	s->pinged_ms = now_ms;
	mu_notify("WATCHDOG=1");
}

/* ---- children ---- */

static void drop_child(struct supervisor *s)
{
	if (s->pidfd >= 0)
		close(s->pidfd);
	if (s->line >= 0)
		close(s->line);
	s->pidfd = s->line = -1;
	s->pid = 0;
}

/* Signals stay blocked: the worker takes them once it can handle them. */
static void become_child(struct supervisor *s, pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(MU_AGENT_FAILED);
	close(s->signals);
	drop_child(s);
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}

static int refused(struct mu_err *err, const char *what)
{
	return mu_err(err, MU_EIO, "%s: %s", what, strerror(errno));
}

static int watch_child(struct supervisor *s, pid_t pid, struct mu_err *err)
{
	s->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (s->pidfd >= 0) {
		s->pid = pid;
		return 0;
	}
	refused(err, "a child cannot be watched (pidfd)");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return MU_EIO;
}

static int start_child(struct supervisor *s, child_fn *work, struct mu_err *err)
{
	const pid_t self = getpid();
	int line[2];
	pid_t pid;

	if (pipe2(line, O_CLOEXEC | O_NONBLOCK))
		return refused(err, "no pipe can be made");
	pid = fork();
	if (pid == 0) {
		become_child(s, self);
		close(line[0]);
		exit(work(s, line[1]));
	}
	close(line[1]);
	if (pid < 0 || watch_child(s, pid, err)) {
		if (pid < 0)
			refused(err, "no process can be made");
		close(line[0]);
		return MU_EIO;
	}
	s->line = line[0];
	return 0;
}

/* Never to 0, which would be all our group. */
static void signal_child(const struct supervisor *s, int signum)
{
	MU_BUG_ON(s->pid <= 0);
	kill(s->pid, signum);
}

/* ---- the worker ---- */

static int be_worker(struct supervisor *s, int line)
{
	struct mu_worker_options o = { s->file, s->conf, line, s->again };

	prctl(PR_SET_NAME, "muster-worker");
	return mu_worker_run(&o);
}

static uint64_t silence_max(const struct supervisor *s)
{
	const uint64_t ms = (uint64_t)s->conf->silence_max_ms;

	if (s->farewell && s->plan.state != MU_SV_KILLING)
		return FAREWELL_MAX_MS;
	/* It reads what it remembers, which may be much. */
	if (s->plan.state == MU_SV_STARTING && ms < BEGIN_MAX_MS)
		return BEGIN_MAX_MS;
	return ms;
}

static void start_worker(struct supervisor *s)
{
	struct mu_err err;

	s->farewell = false;
	s->silent_ms = 0;
	s->looked_ms = mu_clock_mono_ms();
	if (start_child(s, be_worker, &err)) {
		mu_log(MU_ERROR, MSG("the worker cannot be started"),
		       KS("reason", err.msg));
		act(s, mu_supervision_ended(&s->plan, -SIGKILL, s->looked_ms),
		    0);
		return;
	}
	mu_log(MU_INFO, MSG("worker started"), KI("pid", s->pid));
	s->again = true;
}

static void kill_worker(struct supervisor *s)
{
	mu_log(MU_ERROR, MSG("the worker gives no sign of life; killing it"),
	       KI("pid", s->pid), KI("silent_ms", s->silent_ms));
	s->silent_ms = 0;
	signal_child(s, SIGKILL);
}

static void wait_with_start(struct supervisor *s)
{
	s->due_ms = mu_clock_mono_ms() + s->plan.pause_ms;
	mu_log(MU_WARN, MSG("the worker will be started again"),
	       KI("in_ms", s->plan.pause_ms));
	say_status(s, "to be started again");
}

/* ---- telling the others ---- */

static int be_parting(struct supervisor *s, int line)
{
	enum mu_parting_how how = MU_PARTING_FAILED;
	struct mu_err err, why;
	int rc;

	close(line);
	prctl(PR_SET_NAME, "muster-parting");
	if (s->plan.asked == MU_SV_END)
		how = MU_PARTING_LEAVING;
	else if (s->plan.asked == MU_SV_LEAVE)
		how = MU_PARTING_LEFT;
	rc = mu_parting(s->conf, how, &err);
	if (rc)
		mu_log(MU_WARN,
		       MSG("the others could not be told; they see it when the "
		           "session has expired"),
		       KS("reason", err.msg));
	if (how == MU_PARTING_LEFT &&
	    mu_leave_say(s->conf->runtime_dir, rc ? err.msg : NULL, &why))
		mu_log(MU_WARN, MSG("cannot tell --leave how it went"),
		       KS("reason", why.msg));
	return rc ? MU_AGENT_FAILED : MU_AGENT_GOOD;
}

/* In a process of its own: what carries the session may fail, and it must not
 * keep us. A worker that cannot be killed is left to the kernel. */
static void start_parting(struct supervisor *s)
{
	struct mu_err err;

	drop_child(s);
	s->parting_ms = mu_clock_mono_ms();
	s->due_ms = s->parting_ms + PARTING_MAX_MS;
	if (s->plan.asked == MU_SV_HOPELESS)
		mu_log(MU_ERROR,
		       MSG("the worker cannot be kept alive: closing its "
		           "session, so that the others see this host fail "
		           "now"),
		       KI("failures",
		          mu_supervision_failures(&s->plan, s->parting_ms)));
	mu_notify("STOPPING=1");
	say_status(s, "telling the others");
	if (start_child(s, be_parting, &err)) {
		mu_log(MU_ERROR, MSG("the others cannot be told"),
		       KS("reason", err.msg));
		act(s, mu_supervision_step(&s->plan, MU_SV_PARTED), 0);
	}
}

static void on_parted(struct supervisor *s, int status)
{
	if (status == 0)
		mu_log(MU_INFO, MSG("the others were told"),
		       KI("took_ms", mu_clock_mono_ms() - s->parting_ms));
	else if (status < 0) /* else it has said why itself */
		mu_log(MU_ERROR, MSG("the others could not be told"),
		       KS("reason", strsignal(-status)));
	act(s, mu_supervision_step(&s->plan, MU_SV_PARTED), 0);
}

/* ---- what happens ---- */

static void act(struct supervisor *s, enum mu_supervision_action action,
                int signum)
{
	switch (action) {
	case MU_SV_NOTHING:
	case MU_SV_EXIT:
		break;
	case MU_SV_START:
		start_worker(s);
		break;
	case MU_SV_WAIT:
		wait_with_start(s);
		break;
	case MU_SV_PASS:
		if (s->plan.state == MU_SV_STOPPING)
			mu_notify("STOPPING=1");
		signal_child(s, signum);
		break;
	case MU_SV_KILL:
		kill_worker(s);
		break;
	case MU_SV_PART:
		start_parting(s);
		break;
	}
}

static void on_signals(struct supervisor *s)
{
	struct signalfd_siginfo info;

	while (read(s->signals, &info, sizeof info) == (ssize_t)sizeof info)
		for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
			if (signals[i].signum == (int)info.ssi_signo)
				act(s,
				    mu_supervision_step(&s->plan,
				                        signals[i].event),
				    signals[i].signum);
}

static void on_word(struct supervisor *s, char word)
{
	s->silent_ms = 0;
	if (word == MU_LIFELINE_FAREWELL)
		s->farewell = true;
	if (word != MU_LIFELINE_READY)
		return;
	act(s, mu_supervision_step(&s->plan, MU_SV_READY), 0);
	say_ready(s);
}

static void on_line(struct supervisor *s)
{
	char words[64];
	ssize_t n;

	while ((n = read(s->line, words, sizeof words)) > 0)
		for (ssize_t i = 0; i < n; i++)
			on_word(s, words[i]);
	if (n == 0) {
		close(s->line);
		s->line = -1;
	}
}

static void say_end(const struct supervisor *s, int status)
{
	char reason[100];

	if (status < 0)
		snprintf(reason, sizeof reason, "signal %d (%s)", -status,
		         strsignal(-status));
	else
		snprintf(reason, sizeof reason, "exit status %d", status);
	mu_log(status ? MU_ERROR : MU_DEBUG, MSG("the worker has ended"),
	       KI("pid", s->pid), KS("reason", reason));
}

static void on_child(struct supervisor *s)
{
	bool parted = s->plan.state == MU_SV_PARTING;
	int how = 0, status;

	if (waitpid(s->pid, &how, WNOHANG) != s->pid)
		return;
	status = WIFSIGNALED(how) ? -WTERMSIG(how) : WEXITSTATUS(how);
	if (!parted)
		say_end(s, status);
	drop_child(s);
	if (parted)
		on_parted(s, status);
	else
		act(s,
		    mu_supervision_ended(&s->plan, status, mu_clock_mono_ms()),
		    0);
}

/* ---- time ---- */

static uint64_t look_every(const struct supervisor *s)
{
	return (uint64_t)s->conf->silence_max_ms / LOOKS;
}

static bool has_worker(const struct supervisor *s)
{
	return s->pid && s->plan.state != MU_SV_PARTING;
}

/* A stall of ours is no silence of the worker's: it counts as one look. */
static void look_at_worker(struct supervisor *s, uint64_t now_ms)
{
	uint64_t since = now_ms - s->looked_ms;

	s->looked_ms = now_ms;
	if (!has_worker(s))
		return;
	s->silent_ms += since < look_every(s) ? since : look_every(s);
	if (s->silent_ms >= silence_max(s))
		act(s, mu_supervision_step(&s->plan, MU_SV_SILENT), 0);
}

static void on_time(struct supervisor *s)
{
	uint64_t now_ms = mu_clock_mono_ms();

	ping(s, now_ms);
	look_at_worker(s, now_ms);
	if (now_ms < s->due_ms)
		return;
	s->due_ms = FOREVER;
	if (s->plan.state == MU_SV_PARTING && s->pid)
		signal_child(s, SIGKILL);
	else
		act(s, mu_supervision_step(&s->plan, MU_SV_DUE), 0);
}

static int next_ms(const struct supervisor *s)
{
	uint64_t now_ms = mu_clock_mono_ms(), ms = 60000;
	uint64_t look = has_worker(s) ? look_every(s) : ms;

	if (look < ms)
		ms = look;
	if (s->ping_ms && s->ping_ms < ms)
		ms = s->ping_ms;
	if (s->due_ms < now_ms + ms)
		ms = s->due_ms > now_ms ? s->due_ms - now_ms : 0;
	return (int)ms;
}

static void turn(struct supervisor *s)
{
	struct pollfd fd[3] = {
		{ s->signals, POLLIN, 0 },
		{ s->line, POLLIN, 0 },
		{ s->pidfd, POLLIN, 0 },
	};

	if (poll(fd, 3, next_ms(s)) > 0) {
		/* Its last words before its end. */
		if (fd[1].revents)
			on_line(s);
		if (fd[2].revents)
			on_child(s);
		if (fd[0].revents)
			on_signals(s);
	}
	if (s->plan.state != MU_SV_OVER)
		on_time(s);
}

/* ---- life ---- */

/* Before the lock tells anybody whom to signal. */
static int catch_signals(struct supervisor *s, struct mu_err *err)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
		sigaddset(&set, signals[i].signum);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	sigprocmask(SIG_BLOCK, &set, NULL);
	s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return s->signals >= 0 ? 0 : refused(err, "signals cannot be caught");
}

static int open_all(struct supervisor *s, struct mu_err *err)
{
	int rc = catch_signals(s, err);

	return rc ? rc : mu_runtime_lock(s->conf->runtime_dir, &s->lock, err);
}

static void close_all(struct supervisor *s)
{
	drop_child(s);
	if (s->signals >= 0)
		close(s->signals);
	if (s->lock >= 0)
		close(s->lock);
}

static void warn_if_slow_to_kill(const struct mu_agent_conf *conf)
{
	char text[MU_ERR_MSG_MAX];

	if (mu_agent_conf_is_slow_to_kill(conf, text, sizeof text))
		mu_log(MU_WARN, MSG(text));
}

int mu_supervisor_run(const char *file, const struct mu_agent_conf *conf)
{
	struct supervisor s = { .file = file,
		                .conf = conf,
		                .lock = -1,
		                .signals = -1,
		                .line = -1,
		                .pidfd = -1,
		                .due_ms = FOREVER,
		                .ping_ms = mu_notify_watchdog_ms() / 2 };
	struct mu_err err;

	mu_log_open("muster-supervisor", (enum mu_level)conf->level);
	/* What users of plugins are to go through is open to them, whatever
	 * we were started with; what is secret has a mode of its own. */
	(void)umask(022);
	mu_supervision_init(&s.plan, (uint32_t)conf->restart_failures,
	                    (uint64_t)conf->restart_window_s * 1000);
	if (open_all(&s, &err)) {
		mu_log(MU_ERROR, MSG("cannot start"), KS("reason", err.msg));
		close_all(&s);
		return MU_AGENT_FAILED;
	}
	warn_if_slow_to_kill(conf);
	start_worker(&s);
	while (s.plan.state != MU_SV_OVER)
		turn(&s);
	close_all(&s);
	if (s.plan.code == MU_AGENT_GAVE_UP)
		mu_log(MU_ERROR,
		       MSG("the agent has given up: its worker ended again and "
		           "again, or could not start again; the log above "
		           "says why"));
	return s.plan.code;
}
