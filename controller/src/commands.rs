//! The other subcommands: what an operator runs on the host.

use crate::config::{AdminCommand, Config};
use crate::error::Error;
use crate::fleet::enrollment::{addresses, releases};
use crate::platform::{db, public_urls};
use crate::serve::{self, Database};
use crate::{fleet, identity, router};
use anyhow::{Context, bail};
use ocore_shared::secret::Secret;
use std::io::Read;
use std::net::ToSocketAddrs;

/// Bring the database to this version's schema.
pub async fn migrate(config: Config) -> anyhow::Result<()> {
    let database = Database::open(&config).await?;
    db::migrate(&database.options).await?;
    println!("The database's schema is up to date.");
    Ok(())
}

/// Print the OpenAPI document.
pub fn openapi() -> anyhow::Result<()> {
    println!("{}", openapi_text()?);
    Ok(())
}

/// The document as it is committed.
pub fn openapi_text() -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(&router::openapi())?)
}

/// The document of `/v1` as it is committed.
pub fn openapi_v1_text() -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(&router::openapi_v1()?)?)
}

/// Check what can be checked from here; every finding says what to mend.
pub async fn doctor(config: Config) -> anyhow::Result<()> {
    let mut problems = 0;
    let mut tell = |what: &str, result: anyhow::Result<String>| match result {
        Ok(text) => println!("ok    {what}: {text}"),
        Err(error) => {
            problems += 1;
            println!("MEND  {what}: {error:#}");
        }
    };
    let database = Database::open(&config).await;
    let schema = match &database {
        Ok(database) => match db::schema_is_current(&database.options).await {
            Ok(true) => Ok("answers, and its schema is up to date".to_owned()),
            Ok(false) => Err(anyhow::anyhow!("the schema is older than this version; run `ocore-controller migrate`")),
            Err(error) => Err(error),
        },
        Err(error) => Err(anyhow::anyhow!("{error:#}")),
    };
    tell("database", schema);
    let key = config.data_dir.join("master.key");
    tell(
        "master key",
        match std::fs::metadata(&key) {
            Ok(_) => Ok(format!("{} (keep a copy elsewhere: without it no secret can be read)", key.display())),
            Err(error) => Err(anyhow::anyhow!("{}: {error}; it is made at the first start", key.display())),
        },
    );
    tell(
        "agent binary",
        releases::agent_binary(&config, std::env::consts::ARCH)
            .map(|path| path.display().to_string())
            .map_err(|error| anyhow::anyhow!("{error}")),
    );
    let given = match &database {
        Ok(database) => stored_urls(database).await,
        Err(_) => Vec::new(),
    };
    if config.public_url.is_empty() && given.is_empty() {
        let guess = addresses::people(&config, &given).join(", ");
        tell("public URL", Ok(format!("not set; guessed {guess}. Set --public-url when servers reach you by a name")));
    }
    for address in addresses::agents(&config, &given) {
        tell(
            "agents' address",
            address
                .to_socket_addrs()
                .with_context(|| format!("{address} does not resolve; agents cannot find the controller"))
                .map(|found| {
                    format!("{address} → {}", found.map(|a| a.ip().to_string()).collect::<Vec<_>>().join(", "))
                }),
        );
    }
    if problems > 0 {
        bail!("{problems} thing(s) to mend");
    }
    Ok(())
}

/// What an answer of the API would say, for a terminal.
fn first_message(error: Error) -> anyhow::Error {
    anyhow::anyhow!("{}", error.body().error.message)
}

/// The stored public addresses; none where the schema has not come so far.
async fn stored_urls(database: &Database) -> Vec<String> {
    let pool = sqlx::PgPool::connect_lazy_with(database.options.clone());
    public_urls::store::public_urls_get(&pool).await.unwrap_or_default()
}

/// Operations for whoever has a shell on this machine.
pub async fn admin(config: Config, command: AdminCommand) -> anyhow::Result<()> {
    // The database is left as it was found: a running controller uses it, and a stopped one adopts it.
    let (app, _database) = serve::offline(config).await?;
    match command {
        AdminCommand::BootstrapLink => {
            if !identity::auth::service::bootstrap_needed(&app).await? {
                bail!("the first admin exists already; use `admin reset-password` to get back in");
            }
            let token = identity::auth::service::bootstrap_token_make(&app).await?;
            let address = addresses::people(&app.config, &app.public_urls.get()).into_iter().next().unwrap_or_default();
            println!("{address}/bootstrap#token={}", token.expose());
        }
        AdminCommand::PublicUrl { urls, unchecked } => {
            public_urls::public_urls_check_form("URL", &urls).map_err(first_message)?;
            if !unchecked {
                public_urls::public_urls_check_reach(&app, "URL", &urls).await.map_err(first_message)?;
            }
            let mut connection = app.db.system().acquire().await?;
            public_urls::store::public_urls_set(&mut connection, &urls).await?;
            println!("New servers are told {}.", addresses::agents(&app.config, &urls).join(", "));
        }
        AdminCommand::ResetPassword { email, without_second_factor } => {
            let mut password = String::new();
            std::io::stdin().read_to_string(&mut password).context("the new password is read from standard input")?;
            let password = Secret::new(password.trim_end_matches('\n'));
            identity::auth::service::password_reset_by_host(&app, &email, password).await?;
            println!("The password of {email} was set; all sessions ended.");
            if without_second_factor {
                identity::second_factors::service::totp_remove_by_host(&app, &email).await?;
                println!("No codes are asked for any more; set the second factor up anew.");
            }
        }
        AdminCommand::AddServer { organization, name, raw } => {
            let install = fleet::servers::service::server_create_by_host(&app, organization.as_deref(), &name).await?;
            let (address, token) = (install.addresses.first().cloned().unwrap_or_default(), install.token);
            if raw {
                println!("https://{address}\n{}\n{}", install.pin, token.expose());
            } else {
                println!("{}", install.command);
            }
        }
    }
    Ok(())
}
