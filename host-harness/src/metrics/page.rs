//! What `/metrics` says: read from where it is counted at the moment it is asked for.

use std::fmt::Result;
use std::time::UNIX_EPOCH;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

use super::{Histogram, Of, Watched};
use crate::limits::{Limit, Measure};
use crate::plugin::{Cause, Health, Kind, PluginActor};
use crate::tenants::Survey;

impl Collector for Watched {
    fn encode(&self, encoder: DescriptorEncoder) -> Result {
        let mut page = Page(encoder);
        self.process(&mut page)?;
        self.connections(&mut page)?;
        match &self.of {
            Of::One(plugin) => {
                calls(plugin, &mut page)?;
                agent(plugin, &mut page)?;
                held(plugin, &mut page)?;
                limits(plugin, &mut page)
            }
            Of::Many(tenants) => tenants_of(&tenants.survey(), &mut page),
        }
    }
}

impl Watched {
    fn process(&self, page: &mut Page<'_>) -> Result {
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        let mut build = page.metric("build", "What runs.", None, MetricType::Info)?;
        build.encode_info(&version)?;
        let since = self.since.duration_since(UNIX_EPOCH).unwrap_or_default();
        let help = "When the harness started, since the Unix epoch.";
        page.gauge("start_time", help, Some(Unit::Seconds), since.as_secs_f64())?;
        if let Ok(free) = self.data.free_bytes() {
            let help = "Bytes that the disk of the data directory has left.";
            page.gauge("data_free", help, Some(Unit::Bytes), number(free))?;
        }
        Ok(())
    }

    fn connections(&self, page: &mut Page<'_>) -> Result {
        let http = self.server.counts();
        let open = self.server.connections();
        page.gauge("connections", "Connections that are open.", None, size(open))?;
        page.counter(
            "connections_opened",
            "Connections that were opened.",
            None,
            http.opened.get(),
        )?;
        let refused = [
            ("full", http.refused_full.get()),
            ("address_full", http.refused_for_address.get()),
        ];
        page.counters("connections_refused", "Connections closed at once.", "reason", refused)?;
        page.counters(
            "http_responses",
            "Responses by class of status.",
            "class",
            http.responses(),
        )
    }
}

fn calls(plugin: &PluginActor, page: &mut Page<'_>) -> Result {
    let (counts, health) = (plugin.counts(), plugin.health());
    let help = "Bytes of the files in the plugin's directory.";
    let bytes = number(plugin.directory_bytes());
    page.gauge("plugin_directory", help, Some(Unit::Bytes), bytes)?;
    let states = Health::WORDS.map(|word| (word, f64::from(u8::from(word == health.word()))));
    page.gauges(
        "plugin_health",
        "Which of these states the plugin is in.",
        "state",
        states,
    )?;
    let help = "How long calls of the plugin took in it.";
    let mut durations = page.metric("call_duration", help, Some(&Unit::Seconds), MetricType::Histogram)?;
    for kind in Kind::ALL {
        if let Some(calls) = counts.calls(kind) {
            let Histogram { groups, count, sum_s } = calls.read();
            durations
                .encode_family(&[("kind", kind.name())])?
                .encode_histogram::<NoLabelSet>(sum_s, count, &groups, None)?;
        }
    }
    let waiting = plugin.waiting_calls();
    page.gauge(
        "calls_waiting",
        "Calls of clients that wait or run.",
        None,
        size(waiting),
    )?;
    let lost = Cause::ALL.map(|cause| (cause.name(), counts.lost(cause)));
    page.counters(
        "instances_lost",
        "Instances of the plugin that were lost.",
        "cause",
        lost,
    )?;
    let help = "Instances of the plugin that have started.";
    page.counter("instance_starts", help, None, counts.starts.get())?;
    let help = "Linear memory of the instance.";
    page.gauge(
        "instance_memory",
        help,
        Some(Unit::Bytes),
        number(counts.memory_bytes()),
    )?;
    page.counter(
        "commits",
        "Commits that made calls lasting.",
        None,
        counts.commits.get(),
    )?;
    let help = "Calls that were made lasting together with others.";
    page.counter("committed_calls", help, None, counts.committed_calls.get())?;
    let help = "Lines of the plugin that are beyond a bound and not in the log.";
    page.counter("log_lines_dropped", help, None, counts.dropped_log_lines.get())
}

fn agent(plugin: &PluginActor, page: &mut Page<'_>) -> Result {
    let queue = plugin.queue();
    let (counts, (waiting, running)) = (queue.counts(), queue.depth());
    page.gauge(
        "agent_turns_waiting",
        "Messages that wait for the agent.",
        None,
        size(waiting),
    )?;
    page.gauge(
        "agent_turns_running",
        "Messages that are being answered.",
        None,
        size(running),
    )?;
    let longest = queue.longest_wait().unwrap_or_default().as_secs_f64();
    let help = "How long the message has waited which waits longest.";
    page.gauge("agent_longest_wait", help, Some(Unit::Seconds), longest)?;
    let help = "Messages that the agent has begun to answer.";
    page.counter("agent_turns_started", help, None, counts.started.get())?;
    let endings = [
        ("done", counts.done.get()),
        ("failed", counts.failed.get()),
        ("given_up", counts.given_up.get()),
    ];
    page.counters(
        "agent_turns_ended",
        "Messages by what became of them.",
        "ending",
        endings,
    )?;
    let help = "Messages that were refused since too many waited.";
    page.counter("agent_turns_refused", help, None, counts.refused.get())
}

fn held(plugin: &PluginActor, page: &mut Page<'_>) -> Result {
    let hub = plugin.hub();
    let push = hub.counts();
    page.gauge(
        "held_connections",
        "Connections that are held open.",
        None,
        size(hub.held()),
    )?;
    page.counter(
        "held_connections_opened",
        "Connections that were held.",
        None,
        push.held.get(),
    )?;
    let help = "Connections that were not held since too many were.";
    page.counter("held_connections_refused", help, None, push.refused.get())?;
    let help = "Held connections that were cut since they did not read.";
    page.counter("held_connections_cut", help, None, push.cut.get())?;
    let help = "Frames that were handed to held connections.";
    page.counter("pushed_frames", help, None, push.frames.get())?;
    page.counter("pushed", "Bytes of these frames.", Some(Unit::Bytes), push.bytes.get())?;
    let Some(web_push) = plugin.web_push() else {
        return Ok(());
    };
    let counts = web_push.counts();
    let outcomes = [
        ("sent", counts.sent.get()),
        ("gone", counts.gone.get()),
        ("failed", counts.failed.get()),
    ];
    page.counters("web_pushes", "Browsers that were to be woken.", "outcome", outcomes)
}

/// Each bound and the most that was seen of it, those of one unit together.
fn limits(plugin: &PluginActor, page: &mut Page<'_>) -> Result {
    let limits = plugin.limits();
    for unit in [None, Some(Unit::Bytes), Some(Unit::Seconds)] {
        let of_unit = |measure: Measure| match (measure, &unit) {
            (Measure::Number(value), None)
            | (Measure::Bytes(value), Some(Unit::Bytes))
            | (Measure::Seconds(value), Some(Unit::Seconds)) => Some(value),
            _ => None,
        };
        let bounds = Limit::ALL
            .iter()
            .filter_map(|limit| Some((limit.name(), of_unit(limits.measure(*limit))?)));
        let help = "Bounds on the plugin and on those who talk to it.";
        page.gauges_in("limit", help, unit.as_ref(), "limit", bounds)?;
        let peaks = Limit::ALL
            .iter()
            .filter_map(|limit| Some((limit.name(), of_unit(limits.measure_peak(*limit)?)?)));
        let help = "The most that was seen of what is bounded.";
        page.gauges_in("limit_peak", help, unit.as_ref(), "limit", peaks)?;
    }
    Ok(())
}

/// What is said of each tenant has its name; of those that sleep nothing is known but that they do.
fn tenants_of(survey: &Survey, page: &mut Page<'_>) -> Result {
    let states = [
        ("awake", size(survey.awake.len())),
        ("asleep", size(survey.asleep)),
        ("suspended", size(survey.suspended)),
    ];
    page.gauges("tenants", "Tenants by what they do.", "state", states)?;
    let of_each = |what: fn(&PluginActor) -> usize| {
        let awake = survey.awake.iter();
        awake.map(move |(name, plugin)| (name.as_str(), what(plugin)))
    };
    let gauge = |what| of_each(what).map(|(name, value)| (name, size(value)));
    let help = "Calls of a tenant's clients that wait or run.";
    page.gauges(
        "tenant_calls_waiting",
        help,
        "tenant",
        gauge(PluginActor::waiting_calls),
    )?;
    let help = "Connections that are held open for a tenant.";
    page.gauges(
        "tenant_held_connections",
        help,
        "tenant",
        gauge(|plugin| plugin.hub().held()),
    )?;
    let help = "Messages that wait for a tenant's agent.";
    page.gauges(
        "tenant_agent_turns_waiting",
        help,
        "tenant",
        gauge(|plugin| plugin.queue().depth().0),
    )?;
    let awake = || survey.awake.iter().map(|(name, plugin)| (name.as_str(), plugin));
    let help = "Calls of a tenant's plugin since it was woken.";
    let calls = awake().map(|(name, plugin)| (name, plugin.counts().all_calls()));
    page.counters("tenant_calls", help, "tenant", calls)?;
    let help = "Instances of a tenant's plugin that were lost since it was woken.";
    let lost = awake().map(|(name, plugin)| (name, plugin.lost_instances()));
    page.counters("tenant_instances_lost", help, "tenant", lost)
}

/// The page in the making.
struct Page<'a>(DescriptorEncoder<'a>);

impl Page<'_> {
    fn metric<'s>(
        &'s mut self,
        name: &'s str,
        help: &str,
        unit: Option<&'s Unit>,
        kind: MetricType,
    ) -> std::result::Result<MetricEncoder<'s>, std::fmt::Error> {
        self.0.encode_descriptor(name, help, unit, kind)
    }

    fn counter(&mut self, name: &str, help: &str, unit: Option<Unit>, value: u64) -> Result {
        let mut metric = self.metric(name, help, unit.as_ref(), MetricType::Counter)?;
        metric.encode_counter::<NoLabelSet, _, f64>(&value, None)
    }

    fn counters(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        values: impl IntoIterator<Item = (impl AsRef<str>, u64)>,
    ) -> Result {
        let mut metric = self.metric(name, help, None, MetricType::Counter)?;
        for (of, value) in values {
            metric
                .encode_family(&[(label, of.as_ref())])?
                .encode_counter::<NoLabelSet, _, f64>(&value, None)?;
        }
        Ok(())
    }

    fn gauge(&mut self, name: &str, help: &str, unit: Option<Unit>, value: f64) -> Result {
        let mut metric = self.metric(name, help, unit.as_ref(), MetricType::Gauge)?;
        metric.encode_gauge(&value)
    }

    fn gauges(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        values: impl IntoIterator<Item = (impl AsRef<str>, f64)>,
    ) -> Result {
        self.gauges_in(name, help, None, label, values)
    }

    fn gauges_in(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<&Unit>,
        label: &str,
        values: impl IntoIterator<Item = (impl AsRef<str>, f64)>,
    ) -> Result {
        let mut metric = self.metric(name, help, unit, MetricType::Gauge)?;
        for (of, value) in values {
            metric.encode_family(&[(label, of.as_ref())])?.encode_gauge(&value)?;
        }
        Ok(())
    }
}

/// Prometheus knows no other numbers.
#[allow(clippy::cast_precision_loss, reason = "beyond 2^53 nobody counts bytes one by one")]
fn number(value: u64) -> f64 {
    value as f64
}

fn size(value: usize) -> f64 {
    number(value.try_into().unwrap_or(u64::MAX))
}
