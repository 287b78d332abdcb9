//! From a host to addresses that were all checked. Owns the resolver; nothing else in the workspace may turn a tenant's
//! host into an address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use hickory_resolver::config::LookupIpStrategy;
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::{ResolverBuilder, TokioResolver};

use crate::egress::{Denial, EgressPolicy, allowance_for};
use crate::host::Host;
use crate::problem::{Refused, code, refused};

/// Longest wait for the name servers.
pub(crate) const DNS_TIMEOUT: Duration = Duration::from_secs(3);
/// More addresses than this behind one name are cut off: a name server may say anything.
const MAX_ADDRESSES: usize = 16;

/// The resolver could not be set up from the system's configuration.
#[derive(Debug, thiserror::Error)]
#[error("the system's resolver configuration cannot be read")]
pub struct ResolverError(#[source] NetError);

/// Turns hosts into checked addresses.
pub(crate) struct Gate {
    resolver: TokioResolver,
    policy: EgressPolicy,
}

impl Gate {
    pub(crate) fn new(policy: EgressPolicy) -> Result<Self, ResolverError> {
        Self::over(TokioResolver::builder_tokio().map_err(ResolverError)?, policy)
    }

    fn over(mut builder: ResolverBuilder<TokioRuntimeProvider>, policy: EgressPolicy) -> Result<Self, ResolverError> {
        let options = builder.options_mut();
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        options.positive_max_ttl = Some(Duration::from_secs(60));
        options.negative_max_ttl = Some(Duration::from_secs(5));
        options.timeout = Duration::from_millis(1_400);
        options.attempts = 2;
        Ok(Self { resolver: builder.build().map_err(ResolverError)?, policy })
    }

    /// Every address of a host, each of them allowed.
    pub(crate) async fn addresses(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, Refused> {
        let ips = match parse(host)? {
            Host::Address(ip) => vec![ip],
            Host::Name(name) if is_local_name(&name) => {
                vec![IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)]
            }
            Host::Name(name) => self.lookup(&name).await?,
        };
        // `localhost` names both families by definition; a family that is not allowed is left out. Of any other name
        // one forbidden address refuses them all, because a name that mixes them is trying something.
        let local = is_local_name(host);
        let mut addresses = Vec::with_capacity(ips.len());
        let mut refusal = None;
        for ip in ips {
            let address = SocketAddr::new(ip, port);
            match self.policy.check(address) {
                Ok(()) => addresses.push(address),
                Err(denial) if local => {
                    refusal.get_or_insert_with(|| denied(host, address, denial));
                }
                Err(denial) => return Err(denied(host, address, denial)),
            }
        }
        match refusal {
            Some(refusal) if addresses.is_empty() => Err(refusal),
            _ => Ok(addresses),
        }
    }

    async fn lookup(&self, name: &str) -> Result<Vec<IpAddr>, Refused> {
        match tokio::time::timeout(DNS_TIMEOUT, self.resolver.lookup_ip(name)).await {
            Ok(Ok(found)) => {
                let ips: Vec<_> = found.iter().take(MAX_ADDRESSES).collect();
                if ips.is_empty() { Err(not_found(name)) } else { Ok(ips) }
            }
            Ok(Err(error)) if error.is_no_records_found() || error.is_nx_domain() => Err(not_found(name)),
            Ok(Err(_)) | Err(_) => Err(unanswered(name)),
        }
    }
}

fn is_local_name(host: &str) -> bool {
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

fn parse(host: &str) -> Result<Host, Refused> {
    Host::parse(host).map_err(|fault| {
        let shown: String = host.chars().filter(|c| !c.is_control()).take(253).collect();
        refused(code::HOST_NOT_FOUND, format!("\"{shown}\" is not a host: {fault}"), "correct the host of the source")
    })
}

fn not_found(name: &str) -> Refused {
    refused(
        code::HOST_NOT_FOUND,
        format!("the name servers know no address for \"{name}\""),
        "check the spelling of the host; if the name exists only in your own network, this installation must use \
         your name servers, or the source must name the address",
    )
}

fn unanswered(name: &str) -> Refused {
    let mut problem = refused(
        code::HOST_NOT_FOUND,
        format!("the name servers gave no answer for \"{name}\" within {} s", DNS_TIMEOUT.as_secs()),
        "try again; if it stays so, check the name servers in /etc/resolv.conf of the machine that runs the connection \
         worker, or let the source name the address",
    );
    problem.retryable = true;
    problem
}

fn denied(host: &str, address: SocketAddr, denial: Denial) -> Refused {
    let ip = address.ip();
    let target = if host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok() {
        format!("{ip}")
    } else {
        format!("\"{host}\" has the address {ip}, which")
    };
    match denial {
        Denial::Never(kind) => refused(
            code::EGRESS_DENIED,
            format!("{target} is {kind}; this system never connects to such addresses"),
            "let the source name an address of the database server itself; no setting allows this one",
        ),
        Denial::Unless(kind) => refused(
            code::EGRESS_DENIED,
            format!("{target} is {kind}, and the egress policy of this installation does not name it"),
            format!(
                "if this server is meant, the operator adds {} (or a wider range, or with a port: {}) to \
                 PURSIGHT_EGRESS_ALLOW and restarts the workers",
                allowance_for(ip),
                with_port(ip, address.port()),
            ),
        ),
    }
}

fn with_port(ip: IpAddr, port: u16) -> String {
    let range = allowance_for(ip);
    if range.contains(':') { format!("[{range}]:{port}") } else { format!("{range}:{port}") }
}

#[cfg(test)]
#[path = "resolve_tests.rs"]
mod tests;
